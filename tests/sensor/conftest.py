"""The eBPF sensor on the running kernel: what the tests of it need, and the recorder that most of them share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from namespaces import Host, link, machine
from recording import Case, Recording
from traffic.witness import Row

_BTF = Path("/sys/kernel/btf/vmlinux")
# linux/capability.h
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}


def _hindrance() -> str | None:
    """Why this machine cannot run the sensor; None if it can."""
    if sys.platform != "linux":
        return "the sensor is for Linux"
    if os.geteuid() != 0:
        return "loading eBPF and making network namespaces takes root"
    if not _BTF.exists():
        return f"this kernel has no BTF ({_BTF})"
    rights = int(Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0], 16)
    lacking = [name for name, number in _CAPABILITIES.items() if not rights >> number & 1]
    if lacking:
        return f"this container's root lacks {', '.join(lacking)}"
    if not any(line.split()[2] == "cgroup2" for line in Path("/proc/mounts").read_text().splitlines()):
        return "cgroup v2 is not mounted"
    absent = [name for name in ("ip", "nsenter", "bash") if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} on the path"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "this kernel or container makes no network namespaces"
    return None


_HINDRANCE = _hindrance()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say why, where the sensor cannot run."""
    if _HINDRANCE is not None:
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=_HINDRANCE))


@pytest.fixture(scope="session")
def recording() -> Iterator[Recording]:
    """The recorder that most tests share: all, failed attempts and ends of connections too."""
    with Recording("--attempts", "--closes") as recording:
        yield recording
        code, ledger = recording.end()
    # Ended by Ctrl-C.
    assert code == 130
    assert not ledger["lost"], ledger["lost"]
    assert not ledger["unattributed"], ledger["unattributed"]


@pytest.fixture(scope="session")
def new_host() -> Iterator[Callable[[], Host]]:
    """Makes network namespaces. All are kept to the end: the kernel reuses the number of one that is gone."""
    hosts = []

    def new() -> Host:
        hosts.append(Host.new())
        return hosts[-1]

    yield new
    for host in hosts:
        host.close()


@pytest.fixture
def host(new_host: Callable[[], Host]) -> Host:
    """A network namespace of its own, in which nothing else happens."""
    return new_host()


@pytest.fixture
def two_hosts(new_host: Callable[[], Host]) -> tuple[Host, Host]:
    """Two network namespaces, joined by a veth called `eth`: 10.1.0.1 and 10.1.0.2, fd00:1::1 and fd00:1::2."""
    one, other = new_host(), new_host()
    link(one, other, "eth", 1)
    return one, other


@pytest.fixture(scope="session")
def this_machine() -> Iterator[Host]:
    """The network namespace that the tests themselves run in."""
    host = machine()
    yield host
    host.close()


@pytest.fixture
def exactly(recording: Recording, host: Host) -> Case:
    """Runs a traffic program in a namespace of its own, and asserts that exactly its events are recorded."""

    def run(program: str, *arguments: object) -> list[Row]:
        return recording.expect(host.run(program, *arguments), host)

    return run
