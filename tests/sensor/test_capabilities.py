"""The capabilities that docs/sensor.md names are enough: for root of a container, and for an account that has them."""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from namespaces import Host
from recording import Recording

_ENOUGH = {"CAP_NET_ADMIN": 12, "CAP_PERFMON": 38, "CAP_BPF": 39}
# linux/prctl.h, linux/capability.h
_CAPBSET_DROP, _SET_KEEPCAPS, _AMBIENT, _AMBIENT_RAISE = 24, 8, 47, 2
_VERSION_3 = 0x20080522
_SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def as_root_of_a_container(names: dict[str, int]) -> Callable[[], None]:
    """Make of the caller what `--cap-drop ALL --cap-add ...` makes of root, once it calls exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())

    def become() -> None:
        for number in set(range(last + 1)) - set(names.values()):
            _checked(libc.prctl(_CAPBSET_DROP, number, 0, 0, 0))

    return become


def as_account_with_ambient_ones(names: dict[str, int], account: pwd.struct_passwd) -> Callable[[], None]:
    """Make of the caller what a unit with User= and AmbientCapabilities= is, once it calls exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = sum(1 << number for number in names.values())
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    halves = (ctypes.c_uint32 * 6)(*[wanted & 0xFFFFFFFF] * 3, *[wanted >> 32] * 3)

    def become() -> None:
        _checked(libc.prctl(_SET_KEEPCAPS, 1, 0, 0, 0))
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        _checked(libc.capset(header, halves))
        for number in names.values():
            _checked(libc.prctl(_AMBIENT, _AMBIENT_RAISE, number, 0, 0))

    return become


NOBODY = pwd.getpwnam("nobody")


def _open_to_all(path: str) -> bool:
    return all(folder.stat().st_mode & 1 for folder in Path(path).resolve().parents)


@pytest.fixture(scope="module")
def python_of_all() -> Iterator[Path]:
    """The interpreter where any account can start it: mounted again, if it is within root's home."""
    if not _open_to_all(__file__):
        pytest.skip("other accounts cannot read this checkout")
    if _open_to_all(sys.executable):
        yield Path(sys.executable)
        return
    packages = os.pathsep.join(path for path in sys.path if not path.startswith(sys.base_prefix))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        home, script = folder / "home", folder / "python"
        home.mkdir()
        interpreter = home / "bin" / Path(sys.executable).resolve().name
        variables = f"PYTHONHOME={home} PYTHONPATH={packages} LD_LIBRARY_PATH={home}/lib"
        script.write_text(f'#!/bin/sh\n{variables} exec {interpreter} "$@"\n')
        script.chmod(0o755)
        subprocess.run(["mount", "--bind", sys.base_prefix, home], check=True)
        try:
            yield script
        finally:
            subprocess.run(["umount", "--lazy", home], check=True)


@pytest.mark.parametrize(
    ("become", "uid"),
    [
        pytest.param(as_root_of_a_container(_ENOUGH), 0, id="root"),
        pytest.param(as_account_with_ambient_ones(_ENOUGH, NOBODY), NOBODY.pw_uid, id="account"),
    ],
)
def test_three_capabilities_are_enough(host: Host, python_of_all: Path, become: Callable[[], None], uid: int) -> None:
    with Recording(become=become, python=python_of_all) as recording:
        recording.expect(host.run("tcp.both_ends", "v4"), host)
        recording.expect(host.run("processes.other_user"), host)
        for status in Path(f"/proc/{recording.process.pid}/task").glob("*/status"):
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
            assert {int(fields[name], 16) for name in _SETS} == {0}, status
            assert int(fields["NoNewPrivs"]) == 1
            assert {int(number) for number in fields["Uid"].split()} == {uid}
        says_so = any("stays user 0, without any capability: it takes CAP_SETUID" in line for line in recording.log)
        assert says_so == (uid == 0)
        code, ledger = recording.end()
        assert (code, ledger["lost"], ledger["unattributed"]) == (130, {}, {})


@pytest.mark.parametrize("lacking", _ENOUGH)
def test_a_capability_that_is_missing_is_named(python_of_all: Path, lacking: str) -> None:
    rest = {name: number for name, number in _ENOUGH.items() if name != lacking}
    done = record(python_of_all, as_account_with_ambient_ones(rest, NOBODY))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"procwire: cannot record by eBPF: lacks {lacking}; run it as root, or with CAP_")


def test_without_root_one_line_says_so(python_of_all: Path) -> None:
    done = record(python_of_all, as_account_with_ambient_ones({}, NOBODY))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN; run it as root, or with" in line


def test_user_that_root_cannot_become_is_refused(python_of_all: Path) -> None:
    done = record(python_of_all, as_root_of_a_container(_ENOUGH), "--user", "nobody")
    assert done.returncode == 2
    assert "found --user nobody, expected CAP_SETUID and CAP_SETGID" in done.stderr


def record(python: Path, become: Callable[[], None], *options: str) -> subprocess.CompletedProcess[str]:
    """A recording that does not come to be."""
    command = ["record", "--all", "--sensor", "ebpf", "--for", "1s", "--to", "ndjson", "--no-dns-lookup", *options]
    return subprocess.run(
        [python, "-c", "from procwire.cli import main; main()", *command],
        preexec_fn=become,
        capture_output=True,
        text=True,
        check=False,
    )
