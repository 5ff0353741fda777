//! Compiles the eBPF programs with PyPI's `ziglang`, which brings clang: no kernel headers, no libbpf.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // Of this build, not of the one that compiled this script: a build folder may be a copy.
    let crate_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let sources = crate_folder.join("../../bpf");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-env-changed=PROCWIRE_PYTHON");
    let arch = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "x86",
        Ok("aarch64") => "arm64",
        // No sensor: `procwire record` says so.
        _ => "",
    };
    let arch = if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") { arch } else { "" };
    for name in ["sensor", "probe"] {
        compile(arch, &sources.join(name).with_extension("bpf.c"), &folder.join(name).with_extension("bpf.o"));
    }
}

fn compile(arch: &str, source: &Path, out: &Path) {
    if arch.is_empty() {
        std::fs::write(out, b"").expect("OUT_DIR can be written");
        return;
    }
    // The interpreter of the active environment, where the build's requirements are.
    let python = env::var("PROCWIRE_PYTHON").unwrap_or_else(|_| "python3".into());
    let status = Command::new(&python)
        .args(["-m", "ziglang", "cc", "-target", "bpfel-freestanding", "-mcpu=v3", "-g", "-O2", "-Wall", "-Werror"])
        .arg(format!("-D__TARGET_ARCH_{arch}"))
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(out)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("`{python} -m ziglang cc` ended with {status}: the eBPF program was not compiled"),
        Err(error) => panic!("cannot run {python}, expected a Python with the package ziglang: {error}"),
    }
}
