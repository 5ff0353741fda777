//! Compiles the eBPF programs with PyPI's `ziglang`, which brings clang: no kernel headers, no libbpf.

use std::env;
use std::path::{Path, PathBuf};

#[path = "bpf_compiler.rs"]
mod bpf_compiler;

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
    } else {
        bpf_compiler::compile(arch, source, out);
    }
}
