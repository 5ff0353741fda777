"""Runs a part of tests/sensor on kernels that this machine does not run: Debian's, from its packages, under qemu.

    .venv/bin/python tests/kernels/run_kernels.py [KERNEL[:ACCEPT[:UDP]]...]

KERNEL is the beginning of a version, `6.1`; of those that Debian has the last is taken. ACCEPT is a value of
PROCWIRE_ACCEPT_HOOK, UDP one of PROCWIRE_UDP_HOOK; empty for the sensor's own choice. The machine's own files are the
guest's, read only, so it runs this checkout with its .venv.
"""

from __future__ import annotations

import argparse
import lzma
import re
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parents[1]
_STORE = _CHECKOUT / "target" / "kernels"
_KERNELS = ("6.1", "6.12", "7.3")
_SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio", "dpkg": "dpkg"}
# Those without which there are no files, and those that tests ask for: nothing in the guest loads modules itself.
_MODULES = (
    *("crc32c_generic", "virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng"),
    *("veth", "dummy", "bridge", "nf_conntrack", "nf_nat", "nf_tables", "nft_chain_nat", "nft_nat", "nft_redir"),
    *("nft_masq", "nft_ct", "nft_compat", "xt_nat", "xt_REDIRECT", "xt_MASQUERADE", "xt_conntrack", "ip_tables"),
    *("iptable_nat", "iptable_filter", "xt_tcpudp", "tcp_bbr", "inet_diag", "tcp_diag", "udp_diag", "tls"),
)
# A smoke run, ten minutes or so: tests whose names have one of these words, and none of those.
_WANTED = (
    *("both_ends", "do_not_wait", "accept_that", "never_accepted", "accepted_after", "simultaneous"),
    *("is_one_connection", "fast_open", "in_another_abi", "32_bit", "refused", "no_route", "abandoned", "forbidden"),
    *("who_ended_it", "question_and_answers", "by_connected_socket", "handed_to", "many_peers", "never_read"),
    *("is_closed", "on_the_wire", "after_silence", "broadcast", "uring", "exit_at_once", "workers", "threads"),
    *("another_process", "parent_and_child", "after_connect", "other_user", "container", "pid_namespace"),
    *("on_another_mount", "by_udp", "by_tcp", "c_library", "two_hosts", "same_addresses", "forwarded", "open_when"),
    *("unless_asked",),
)
_UNWANTED = (
    *("20000", "1000", "many.example", "alias.example", "both.example", "capabilities", "config", "loss", "mix"),
    *("-v6", "[v6", "True-v4", "closes-", "plain-allows", "recv_into", "recvmmsg", "[recv-", "peeked", "[mptcp-tcp]"),
)
_HOOKS = ("PROCWIRE_ACCEPT_HOOK", "PROCWIRE_UDP_HOOK")
_TIMEOUT_S = 1800
_TRIES = 3
# How many times longer tests wait where qemu emulates the processor.
_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that was unpacked: its image, and where its modules are."""

    series: str
    version: str
    image: Path
    modules: Path


def main() -> int:
    """Test kernels, and print a line for each; 1 if one of them failed."""
    parser = argparse.ArgumentParser(description="Run a part of tests/sensor on other kernels, under qemu.")
    parser.add_argument("kernels", nargs="*", default=_KERNELS, metavar="KERNEL[:ACCEPT[:UDP]]")
    parser.add_argument("--tests", nargs="+", help="instead of the smoke run: paths below tests/sensor")
    parser.add_argument("--command", help="a shell command to run in the guest, instead of tests")
    parser.add_argument("--timeout", type=float, default=_TIMEOUT_S, help="seconds for each kernel")
    parser.add_argument("--work", type=Path, help="a folder for a run's files, where several run at once")
    parser.add_argument("--kvm", action="store_true", help="let the processor run the guest, where that works")
    parser.add_argument("--verbose", action="store_true", help="show the guest's console")
    options = parser.parse_args()
    lacking = sorted({package for tool, package in _PACKAGES.items() if shutil.which(tool) is None})
    if lacking:
        print(f"missing: {', '.join(lacking)}; do: apt-get install --no-install-recommends {' '.join(lacking)}")
        return 1
    results = []
    for wanted in options.kernels:
        series, *variants = wanted.split(":")
        command = options.command or _test_command(options.tests)
        work = (options.work or _STORE) / series
        results.append(_run(_kernel(series), variants, command, work, options.timeout, options.kvm, options.verbose))
    return 0 if all(results) else 1


def _run(
    kernel: Kernel, variants: Sequence[str], command: str, work: Path, timeout_s: float, kvm: bool, verbose: bool
) -> bool:
    """Boot, run the command in the guest, and print how it went; whether it went well."""
    variant = "-".join(filter(None, variants))
    out = work.resolve() / (f"out-{variant}" if variant else "out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PROCWIRE_TEST_PATIENCE": str(1 if kvm else _PATIENCE),
        **{name: value for name, value in zip(_HOOKS, variants, strict=False) if value},
    }
    busybox = shutil.which("busybox")
    lines = [
        *(f"export {name}={shlex.quote(value)}" for name, value in environment.items()),
        f"cd {shlex.quote(str(_CHECKOUT))}",
        f"{{ {command}; }} </dev/null >/out/log 2>&1",
        "echo $? >/out/code",
        f"{busybox} sync",
        f"{busybox} poweroff -f",
    ]
    (out / "run.sh").write_text("\n".join(lines) + "\n")
    began_s = time.monotonic()
    # Where two emulated processors meet a kernel that changes its own code, it may stop: seen once, while it booted.
    for _ in range(_TRIES):
        ended = _boot(_qemu(kernel, out, kvm), out, timeout_s, verbose)
        if (out / "code").exists() or "panic" not in _text(out / "console"):
            break
    code = _text(out / "code").strip()
    outcome = _outcome(out) if code else f"{ended} before the tests did; see {out / 'console'}"
    how = f"{time.monotonic() - began_s:.0f} s, {'KVM' if kvm else 'emulated'}"
    print(f"{kernel.version} {variant or 'best'} ({how}): {_hooks(out)}; {outcome}", flush=True)
    return code == "0"


def _boot(command: Sequence[str], out: Path, timeout_s: float, verbose: bool) -> str:
    """Run qemu to the guest's end; how it ended."""
    with (out / "console").open("wb") as console:
        guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=None if verbose else console, stderr=console)
        try:
            guest.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return f"was ended after {timeout_s:g} s"
        finally:
            guest.kill()
            guest.wait()
    return "ended"


def _test_command(tests: Sequence[str] | None) -> str:
    """What the guest runs: a recording that says what it attached, and tests."""
    record = "timeout 300 .venv/bin/procwire record --all --sensor ebpf --for 1s --to ndjson --no-dns-lookup"
    pytest = ".venv/bin/python -m pytest -p no:cacheprovider -o timeout=1200 --junitxml /out/junit.xml"
    smoke = ["-k", f"({' or '.join(_WANTED)}) and not ({' or '.join(_UNWANTED)})", "tests/sensor"]
    chosen = smoke if tests is None else [f"tests/sensor/{test}" for test in tests]
    return f"{record} >/out/rows 2>/out/hooks; {pytest} {shlex.join(chosen)}"


def _hooks(out: Path) -> str:
    """What the recorder said of its hooks, or its first words if it did not begin."""
    lines = _text(out / "hooks").splitlines()
    told = [line for line in lines if "recording by ebpf" in line] or lines[:1] or ["no recorder was run"]
    return told[0]


def _outcome(out: Path) -> str:
    """Passed, failed and skipped tests, and which failed."""
    if not (out / "junit.xml").exists():
        return f"exit code {_text(out / 'code').strip()}; see {out / 'log'}"
    cases = list(ElementTree.parse(out / "junit.xml").iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    names = "".join(f"\n  failed: {case.get('classname')}::{case.get('name')}" for case in failed)
    return f"{len(cases) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped{names}"


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _qemu(kernel: Kernel, out: Path, kvm: bool) -> Sequence[str]:
    share = "security_model=none,multidevs=remap"
    return [
        *("qemu-system-x86_64", "-smp", "2", "-m", "2048", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *(("-accel", "kvm", "-cpu", "host") if kvm else ("-accel", "tcg,thread=multi", "-cpu", "max")),
        *("-nic", "none", "-device", "virtio-rng-pci"),
        *("-virtfs", f"local,path=/,mount_tag=host,readonly=on,{share}"),
        *("-virtfs", f"local,path={out},mount_tag=out,{share}"),
        *("-kernel", str(kernel.image), "-initrd", str(_initramfs(kernel, out.with_name("initramfs")))),
        *("-append", "console=ttyS0 quiet panic=-1 oops=panic mitigations=off"),
    ]


def _kernel(series: str) -> Kernel:
    """The newest of Debian's kernels whose version begins so, downloaded and unpacked once."""
    root = _STORE / series / "root"
    if not root.exists():
        _unpack(series, root)
    [image] = [path for path in root.rglob("vmlinuz*") if path.is_file()]
    [modules] = [path for path in root.glob("**/lib/modules/*") if path.is_dir()]
    return Kernel(series, modules.name, image, modules)


def _unpack(series: str, root: Path) -> None:
    debs = root.with_name("debs")
    shutil.rmtree(debs, ignore_errors=True)
    debs.mkdir(parents=True)
    apt = _apt()
    pattern = re.compile(rf"linux-image-({re.escape(series)}[-.+].*)-amd64")
    names = _said([*apt.cache, "pkgnames", f"linux-image-{series}"]).split()
    versions = [found[1] for name in names if (found := pattern.fullmatch(name))]
    versions = [version for version in versions if not version.endswith(("-cloud", "-rt"))]
    if not versions:
        raise SystemExit(f"found no linux-image-{series}*-amd64 among Debian's packages ({', '.join(_SUITES)})")
    newest = max(versions, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])
    # Later kernels are in three packages.
    parts = [f"linux-{part}-{newest}-amd64" for part in ("binary", "modules")]
    known = set(_said([*apt.cache, "pkgnames", "linux-"]).split())
    subprocess.run(
        [*apt.get, "download", f"linux-image-{newest}-amd64", *(part for part in parts if part in known)],
        cwd=debs,
        check=True,
    )
    partial = root.with_name("partial")
    shutil.rmtree(partial, ignore_errors=True)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, partial], check=True)
    shutil.rmtree(debs)
    partial.rename(root)


@dataclass(frozen=True, slots=True)
class Apt:
    """apt's commands, with lists of our own: the machine's configuration stays as it is."""

    cache: Sequence[str]
    get: Sequence[str]


def _apt() -> Apt:
    """apt with every suite that has a kernel of interest, from the mirror that this machine uses."""
    folder = _STORE / "apt"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    known = _said(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"])
    mirrors = [words[1] for line in known.splitlines() if (words := line.split())[0] == "Debian"]
    if not mirrors:
        raise SystemExit("apt knows no mirror of Debian; do: apt-get update")
    entries = [
        f"deb [signed-by={_KEYRING}] {mirror} {suite}{'-security' if 'security' in mirror else ''} main\n"
        for mirror in dict.fromkeys(mirrors)
        for suite in _SUITES
    ]
    (folder / "sources.list").write_text("".join(entries))
    options = [
        *("-o", f"Dir::Etc::sourcelist={folder / 'sources.list'}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    # Suites that the mirror does not have are no hindrance.
    subprocess.run(["apt-get", "-qq", *options, "update"], check=False, stderr=subprocess.DEVNULL)
    return Apt(["apt-cache", *options], ["apt-get", "-qq", *options])


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _initramfs(kernel: Kernel, work: Path) -> Path:
    """A file system in memory with busybox, modules, and `init`, put together in `work`."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "bin").mkdir(parents=True)
    (work / "modules").mkdir()
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, work / "bin" / "busybox")
    shutil.copy(_HERE / "init", work / "init")
    (work / "init").chmod(0o755)
    order = []
    for name, content in _modules(kernel.modules).items():
        (work / "modules" / f"{name}.ko").write_bytes(content)
        order.append(f"{name}.ko\n")
    (work / "modules" / "order").write_text("".join(order))
    files = "\n".join(str(path.relative_to(work)) for path in sorted(work.rglob("*"))) + "\n"
    archive = work.with_suffix(".cpio")
    with archive.open("wb") as output:
        subprocess.run(
            ["cpio", "--quiet", "--create", "--format", "newc"],
            cwd=work,
            input=files.encode(),
            stdout=output,
            check=True,
        )
    return archive


def _modules(folder: Path) -> dict[str, bytes]:
    """The modules of interest that are no part of the kernel itself, each after those that it depends on."""
    paths = {path.name.split(".")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        path = paths.get(name.replace("-", "_"))
        if path is None or name in found:
            return
        content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        # Of the section .modinfo, texts that end with a zero.
        needs = re.search(rb"\0depends=([^\0]*)\0", content)
        for need in (needs[1].decode() if needs else "").split(","):
            if need:
                add(need.replace("-", "_"))
        found[name] = content

    for name in _MODULES:
        add(name)
    return found


if __name__ == "__main__":
    sys.exit(main())
