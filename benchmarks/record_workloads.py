"""Workloads during a recording: loads of connections, and bystanders without any."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from record_usage import running_s

_HERE = Path(__file__).parent
_PROGRAMS = ("connections", "bystanders")
_TINY_C = "int main(void) { return 0; }\n"
_DD_BYTES = 200_000
_REQUESTS = 8_000
_CLIENTS = 20
_STARTS_S = 10.0

EVENTS_EACH = 2
"""Events per connection: both ends of a TCP connection, the sending and receiving of a UDP datagram."""

Kind = Literal["tcp", "udp"]


@dataclass(frozen=True)
class Load:
    """Hold the result of a run of the load."""

    made: int
    failed: int
    seconds: float
    cpu_s: float
    """CPU time of its processes, including the kernel's work in their calls, without competing processes."""
    pids: list[int]

    @property
    def per_second(self) -> float:
        """Return connections per second."""
        return self.made / self.seconds

    @property
    def each_us(self) -> float:
        """Return the CPU time per connection."""
        return self.cpu_s / self.made * 1e6

    @property
    def events(self) -> int:
        """Return the number of events that a recorder should report."""
        return self.made * EVENTS_EACH


@dataclass(frozen=True)
class Programs:
    """Provide this folder's C programs, compiled."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> Programs:
        """Compile them into a folder, by the compiler that builds the sensor."""
        compiler = [sys.executable, "-m", "ziglang", "cc", "-O2", "-Wall", "-Wextra", "-Werror"]
        for name in _PROGRAMS:
            files = ["-o", str(folder / name), str(_HERE / f"{name}.c")]
            subprocess.run([*compiler, "-Wno-missing-field-initializers", *files], check=True)
        (folder / "tiny.c").write_text(_TINY_C)
        return cls(folder)

    def start(
        self, kind: Kind, seconds: float, cores: int, per_second: float = 0, count: int = 0
    ) -> subprocess.Popen[str]:
        """Start a run of connections; `per_second` and `count` of 0 for as many as possible."""
        numbers = map(str, (seconds, cores, per_second, count))
        argv = [str(self.folder / "connections"), kind, *numbers]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def run(self, kind: Kind, seconds: float, cores: int, per_second: float = 0, count: int = 0) -> Load:
        """Make a complete run of connections."""
        return finished(self.start(kind, seconds, cores, per_second, count))

    def bystander(self, name: str, seconds: float) -> Load:
        """Make a complete run of a workload of `bystanders.c`."""
        argv = [str(self.folder / "bystanders"), name, str(seconds)]
        return finished(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))


def finished(process: subprocess.Popen[str]) -> Load:
    """Wait for a run, and return its result. Raises RuntimeError if it failed."""
    text, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"found exit code {process.returncode} of the load, expected 0")
    return Load(**json.loads(text))


@dataclass(frozen=True)
class Workload:
    """A workload whose CPU time per operation is measured."""

    name: str
    each_us: Callable[[], float]
    """Run it for a moment; return the CPU time per operation, user and system, of all participants."""
    limit: Limit
    paused: bool = False
    """Whether the recorder's user side is stopped meanwhile, so that only its kernel side counts."""


@dataclass(frozen=True)
class Limit:
    """Hold what recording may add. All None: no target."""

    pct: float | None = None
    us: float | None = None
    nothing: bool = False
    """Whether no change may be measurable."""


NOTHING = Limit(nothing=True)


@contextmanager
def workloads(programs: Programs, seconds: float) -> Iterator[Sequence[Workload]]:
    """Provide all workloads that this machine can run, each for about this many seconds, with servers running."""

    def bystander(name: str) -> Callable[[], float]:
        return lambda: programs.bystander(name, seconds).each_us

    def connections(kind: Kind) -> Callable[[], float]:
        return lambda: programs.run(kind, seconds, 1).each_us

    found = [
        Workload("getppid", bystander("getppid"), NOTHING),
        Workload("pread of 1 byte", bystander("pread"), NOTHING),
        Workload("dd bs=1, zero to null, a byte", _dd, NOTHING),
        Workload("fork, exit, wait", bystander("fork"), NOTHING),
        Workload("TCP, 64 bytes there and back", bystander("pingpong"), Limit(pct=5)),
        Workload("TCP, 1,000 bytes a packet", bystander("stream"), Limit(pct=5)),
        Workload("TCP, 64 KB a write", bystander("bulk"), NOTHING),
        Workload("UDP, 1,200 bytes one way", bystander("datagram"), Limit(pct=8)),
        Workload("UDP, 64 bytes there and back", bystander("udpflow"), Limit(pct=8)),
        Workload("UDP: socket, send, receive, close", connections("udp"), Limit()),
        Workload("TCP: connect, accept, close", connections("tcp"), Limit()),
        Workload("the same, kernel side alone", connections("tcp"), Limit(us=2.4), paused=True),
    ]
    if shutil.which("gcc"):
        found.append(Workload("gcc -c of a tiny file", lambda: _gcc(programs.folder, seconds), NOTHING))
    if shutil.which("iperf3"):
        found += [
            Workload("iperf3, writes of 1,000 bytes", lambda: _iperf(1_000, 20_000), Limit(pct=5)),
            Workload("iperf3, writes of 128 KB", lambda: _iperf(128 << 10, 4_000), NOTHING),
        ]
    if not shutil.which("redis-server"):
        yield found
        return
    with _redis(programs.folder) as (pid, port):
        found += [
            Workload("redis GET, connections kept", lambda: _redis_get(pid, port, kept=True), Limit(pct=5)),
            Workload("redis GET, a connection each", lambda: _redis_get(pid, port, kept=False), Limit()),
        ]
        yield found


def missing() -> list[str]:
    """Return programs that workloads need and that are not installed."""
    return [name for name in ("gcc", "iperf3", "redis-server") if not shutil.which(name)]


def _cpu_s(argv: Sequence[str]) -> float:
    """Return the CPU time of a command and its children. Raises RuntimeError if it fails."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"found exit code {process.returncode}, expected 0: {' '.join(argv)}")
    return usage.ru_utime + usage.ru_stime


def _dd() -> float:
    argv = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", f"count={_DD_BYTES}", "status=none"]
    return _cpu_s(argv) / _DD_BYTES * 1e6


def _gcc(folder: Path, seconds: float) -> float:
    """Return the least disturbed run: few fit into a slice, and each must fill its caches."""
    argv = ["gcc", "-c", str(folder / "tiny.c"), "-o", str(folder / "tiny.o")]
    runs_s, end_s = [_cpu_s(argv)], time.monotonic() + seconds
    while time.monotonic() < end_s:
        runs_s.append(_cpu_s(argv))
    return min(runs_s) * 1e6


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _wait_for_listener(port: int) -> None:
    """Wait for the server by checking its socket, since iperf3 treats the first connection as its client."""
    needle, end_s = f":{port:04X} 00000000:0000 0A", time.monotonic() + _STARTS_S
    while needle not in Path("/proc/net/tcp").read_text():
        if time.monotonic() > end_s:
            raise RuntimeError(f"found nobody who listens on port {port}, expected a server")
        time.sleep(0.005)


def _iperf(size: int, writes: int) -> float:
    port = _free_port()
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(["iperf3", "-s", "-1", "-B", "127.0.0.1", "-p", str(port)], stdout=quiet, stderr=quiet)
    try:
        _wait_for_listener(port)
        client_s = _cpu_s(["iperf3", "-c", "127.0.0.1", "-p", str(port), "-l", str(size), "-n", str(size * writes)])
    except BaseException:
        server.kill()
        server.wait()
        raise
    _, status, usage = os.wait4(server.pid, 0)
    server.returncode = os.waitstatus_to_exitcode(status)
    return (client_s + usage.ru_utime + usage.ru_stime) / writes * 1e6


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[int, int]]:
    port = _free_port()
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([*argv, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        _wait_for_listener(port)
        yield server.pid, port
    finally:
        server.terminate()
        server.wait()


def _redis_get(pid: int, port: int, *, kept: bool) -> float:
    requests = _REQUESTS if kept else _REQUESTS // 4
    before_s = running_s(pid)
    argv = ["redis-benchmark", "-p", str(port), "-t", "get", "-n", str(requests), "-c", str(_CLIENTS)]
    client_s = _cpu_s([*argv, "-k", "1" if kept else "0"])
    return (client_s + running_s(pid) - before_s) / requests * 1e6
