"""Watchers of connections: procwire and its peers. Each is a process that writes to a file within a `with`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from process import procwire_command

_BPFTRACE_SCRIPT = Path(__file__).with_name("connections.bt")
_TRACEFS = Path("/sys/kernel/tracing")
# Mounted only for the watcher, if the machine has not mounted it.
_MOUNT_TRACEFS = ("unshare", "-m", "sh", "-c", f'mount -t tracefs nodev {_TRACEFS} && exec "$@"', "sh")
_SYNS = "tcp[tcpflags] & tcp-syn != 0"
_CALLS = ("connect", "accept", "accept4")
_PROBE_TIMEOUT_S = 60.0
_PROBE_EVERY_S = 0.1
_STOP_TIMEOUT_S = 30.0
_READ_BYTES = 1 << 22
_LOST = re.compile(r"Lost (\d+) events")
_DROPPED = re.compile(r"(\d+) packets? dropped by kernel")


class Watcher:
    """Run a watcher; its output can be read while its folder exists."""

    name: str
    """Its name in the results."""
    pausable = False
    """Whether its kernel side continues and loses nothing while it is stopped."""
    line_of = b""
    """Patterns for the process in an event's line, by process id; empty if it writes no lines."""
    ends_by = signal.SIGINT
    probes = 50
    """Connections made at a time to see whether it watches; many if it writes in blocks."""

    def __init__(self, argv: Sequence[str], folder: Path) -> None:
        self.file = folder / "events"
        self.argv = argv
        self._reported = folder / "reported"

    def __enter__(self) -> Watcher:
        """Start it, and wait until it watches."""
        with self._reported.open("wb") as reported:
            self._process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=reported, stderr=reported)
        self.pid = self._process.pid
        try:
            self.settle()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(self.ends_by)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # bpftrace did this; its output still counts.
            print(f"{self.argv[0]} did not end within {_STOP_TIMEOUT_S:g} s, and was killed", file=sys.stderr)
        finally:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stop its user side; the kernel side continues."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def settle(self) -> None:
        """Wait until connections of ours make its file grow."""
        size, end_s = self._size(), time.monotonic() + _PROBE_TIMEOUT_S
        while self._size() <= size:
            self._check(end_s)
            with socket.create_server(("127.0.0.1", 0)) as server:
                self._connect(server)
            time.sleep(_PROBE_EVERY_S)

    def events_of(self, pids: Collection[int], behind: bytes = b"") -> int | None:
        """Return the number of lines about these processes with `behind` after the process; None without lines."""
        if not self.line_of:
            return None
        line = re.compile(rb"(?:%s)[^\n]*?%s" % (b"|".join(self.line_of % pid for pid in pids), behind))
        with self.file.open("rb") as file:
            blocks = iter(lambda: file.read(_READ_BYTES) + file.readline(), b"")
            return sum(sum(1 for _ in line.finditer(block)) for block in blocks)

    def lost(self) -> int | None:
        """Return how many events it reports as lost, once it has ended; None if it does not report them."""
        return None

    def reported(self) -> str:
        """Return its other output."""
        return self._reported.read_text(errors="replace").strip()

    def _size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def _check(self, end_s: float) -> None:
        if time.monotonic() > end_s or self._process.poll() is not None:
            raise RuntimeError(f"{self.name}: found no event, expected those of our own connections: {self.reported()}")

    def _connect(self, server: socket.socket) -> None:
        for _ in range(self.probes):
            with socket.create_connection(server.getsockname()):
                server.accept()[0].close()


class _Lines(Watcher):
    """Run a watcher that writes a line per event."""

    def settle(self) -> None:
        """Wait until all past events are written, shown by a connection of ours from each core."""
        position, cores = self._size(), os.sched_getaffinity(0)
        for core in sorted(cores):
            os.sched_setaffinity(0, {core})
            try:
                self._wait_for_probe(position)
            finally:
                os.sched_setaffinity(0, cores)

    def _wait_for_probe(self, position: int) -> None:
        """Wait until a connection of ours is written, somewhere after the position."""
        end_s = time.monotonic() + _PROBE_TIMEOUT_S
        with socket.create_server(("127.0.0.1", 0)) as server:
            needles = [self.line_of % os.getpid(), str(server.getsockname()[1]).encode()]
            while not (found := self._finds(needles, position))[0]:
                position = found[1]
                self._check(end_s)
                self._connect(server)
                time.sleep(_PROBE_EVERY_S)

    def _finds(self, needles: Sequence[bytes], position: int) -> tuple[bool, int]:
        """Return whether a line after the position has all of the needles, and where to continue."""
        if not self.file.exists():
            return False, position
        with self.file.open("rb") as file:
            file.seek(position)
            for block in iter(lambda: file.read(_READ_BYTES) + file.readline(), b""):
                if not block.endswith(b"\n"):
                    break
                position += len(block)
                if all(needle in block for needle in needles) and any(
                    all(needle in line for needle in needles) for line in block.splitlines()
                ):
                    return True, position
        return False, position


class Procwire(_Lines):
    """Run `procwire record --to ndjson` into a file, for all processes unless the options choose some."""

    name = "procwire"
    line_of = b'"process_id":%d,'
    pausable = True
    probes = 1

    def __init__(self, folder: Path, options: Sequence[str] = (), command: Sequence[str] = ()) -> None:
        self._ledger = folder / "ledger"
        chosen = () if {"--config", "-n"} & set(options) else ("--all",)
        fixed = ["record", *chosen, "--sensor", "ebpf", "--no-dns-lookup", "--to", "ndjson"]
        files = ["-o", str(folder / "events"), "--ledger", str(self._ledger)]
        super().__init__([*(command or procwire_command()), *fixed, *files, *options], folder)

    def lost(self) -> int | None:
        account = self._account()
        return sum(map(int, [*account["lost"].values(), *(output["lost"] for output in account["outputs"])]))

    def captured(self) -> int:
        """Return the number of events in its ledger, once it has ended."""
        return sum(map(int, self._account()["captured"].values()))

    def _account(self) -> dict[str, Any]:
        account: dict[str, Any] = json.loads(self._ledger.read_text())
        return account


Recorders = Mapping[str, Callable[..., Procwire]]
"""Builds of procwire, and commands to run them, by name; the targets are for the first one."""


def recorders(others: Sequence[str]) -> Recorders:
    """Return the `procwire` of this Python, and others given as NAME=COMMAND. Raises ValueError for other texts."""
    found: dict[str, Callable[..., Procwire]] = {Procwire.name: Procwire}
    for other in others:
        name, _, command = other.partition("=")
        if not name or not command:
            raise ValueError(f"found {other!r}, expected NAME=COMMAND")
        found[name] = partial(Procwire, command=shlex.split(command))
    return found


class Bpftrace(_Lines):
    """`bpftrace` with a script that prints a line per event, into a file."""

    name = "bpftrace"
    line_of = b" %d "

    def __init__(self, folder: Path) -> None:
        argv = ["bpftrace", "-o", str(folder / "events"), str(_BPFTRACE_SCRIPT)]
        super().__init__(_with_tracefs(argv), folder)

    def lost(self) -> int | None:
        return sum(int(count) for count in _LOST.findall(self.reported() + self.file.read_text(errors="replace")))


class Tcpdump(Watcher):
    """`tcpdump -w`, SYNs only: addresses and times, no process."""

    name = "tcpdump"

    def __init__(self, folder: Path) -> None:
        super().__init__(["tcpdump", "-i", "any", "-U", "-Z", "root", "-w", str(folder / "events"), _SYNS], folder)

    def lost(self) -> int | None:
        return sum(int(count) for count in _DROPPED.findall(self.reported()))


class PerfTrace(Watcher):
    """`perf trace` of connect, accept and accept4 of the whole machine, to a file."""

    name = "perf trace"

    def __init__(self, folder: Path) -> None:
        argv = ["perf", "trace", "-a", "-e", ",".join(_CALLS), "-o", str(folder / "events")]
        super().__init__(_with_tracefs(argv), folder)


class Auditd(Watcher):
    """Run auditd with rules for connect and accept. They apply to the entire machine, and replace existing rules.

    Once auditing was on, each new process pays for it with every system call, even without rules: but for a rule that
    excepts it, which therefore stays when the rules of this watcher are gone.
    """

    name = "auditd"
    ends_by = signal.SIGTERM
    _EXCEPT_ALL = ("-a", "task,never")
    # The queue to auditd: of maximum length, so that nobody waits for it; then restored.
    _WIDE = ("-b", "65536", "--backlog_wait_time", "0")
    _ORDINARY = ("-b", "64", "--backlog_wait_time", "15000")

    def __init__(self, folder: Path) -> None:
        settings = {
            "local_events": "yes",
            "write_logs": "yes",
            "log_file": str(folder / "events"),
            "log_format": "RAW",
            "flush": "INCREMENTAL_ASYNC",
            "freq": "50",
            "max_log_file": "2000",
            "max_log_file_action": "IGNORE",
            "space_left": "75",
            "admin_space_left": "50",
            "space_left_action": "IGNORE",
            "admin_space_left_action": "IGNORE",
            "disk_full_action": "IGNORE",
        }
        folder.chmod(0o755)
        (folder / "auditd.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (folder / "auditd.conf").chmod(0o640)
        (folder / "events").touch(0o600)
        super().__init__(["auditd", "-n", "-c", str(folder)], folder)

    def __enter__(self) -> Watcher:
        _auditctl("-D")
        _auditctl(*self._WIDE)
        _auditctl("-a", "always,exit", "-F", "arch=b64", *(word for call in _CALLS for word in ("-S", call)))
        _auditctl("-e", "1")
        try:
            return super().__enter__()
        except BaseException:
            self._off()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._off()

    def _off(self) -> None:
        _auditctl("-D")
        _auditctl(*self._EXCEPT_ALL)
        _auditctl("-e", "0")
        _auditctl(*self._ORDINARY)


def _auditctl(*arguments: str) -> None:
    subprocess.run(["auditctl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _with_tracefs(argv: Sequence[str]) -> Sequence[str]:
    return argv if any(_TRACEFS.iterdir()) else [*_MOUNT_TRACEFS, *argv]


Peer = type[Bpftrace | Tcpdump | PerfTrace | Auditd]


@dataclass(frozen=True)
class Peers:
    """Hold the other watchers that run here, and why others do not, a line each."""

    found: list[Peer] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @classmethod
    def here(cls, *, audit: bool) -> Peers:
        """Return all of them; auditd only on request."""
        peers = cls()
        for peer in (Bpftrace, Tcpdump, PerfTrace, Auditd):
            program = peer.name.split()[0]
            if peer is Auditd and not audit:
                peers.absent.append("auditd is not run without --auditd: its rules are the whole machine's.")
            elif shutil.which(program) is None:
                peers.absent.append(f"{program} is not installed.")
            elif (hindrance := _hindrance(peer)) is not None:
                peers.absent.append(f"{peer.name} does not run here: {hindrance}")
            else:
                peers.found.append(peer)
        return peers


def versions() -> list[str]:
    """Return the versions of the installed peers, as they print them."""
    commands = (("bpftrace", "--version"), ("tcpdump", "--version"), ("perf", "--version"), ("auditctl", "-v"))
    found = []
    for command in commands:
        if shutil.which(command[0]):
            said = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            found.append(said.stdout.splitlines()[0])
    return found


def _hindrance(peer: Peer) -> str | None:
    """Return why it does not start; None if it does."""
    with scratch() as folder:
        try:
            with peer(folder):
                return None
        except (RuntimeError, subprocess.CalledProcessError) as error:
            return " ".join(str(error).split())[:300]


@contextmanager
def scratch() -> Iterator[Path]:
    """Provide a folder for a watcher's files, in which another account may write."""
    with tempfile.TemporaryDirectory(prefix="procwire-bench-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
