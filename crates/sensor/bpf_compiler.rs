//! Runs the BPF compiler: for the build script, and for the tests that compile a changed copy of bpf/.

use std::env;
use std::path::Path;
use std::process::Command;

/// Compile `source` for `arch`, as `__TARGET_ARCH_` names it.
///
/// # Panics
/// If there is no Python with ziglang, or if the source does not compile.
pub(crate) fn compile(arch: &str, source: &Path, out: &Path) {
    let python = env::var("PROCWIRE_PYTHON").unwrap_or_else(|_| installed_python());
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

/// The Python that `make build` installs ziglang for, else that of the active environment.
fn installed_python() -> String {
    // At run time: a build folder may be a copy.
    let crate_folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let build = Path::new(&crate_folder).join("../../.venv-build");
    if build.join("installed").exists() { build.join("bin/python").display().to_string() } else { "python3".into() }
}
