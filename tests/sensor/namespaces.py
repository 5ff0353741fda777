"""Network namespaces for tests. They hang on a descriptor each: whatever happens, the kernel removes them with us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from traffic import libc
from traffic.witness import Row

__all__ = ["Host", "Program", "link", "machine", "patience"]

patience = float(os.environ.get("PROCWIRE_TEST_PATIENCE", "1"))
"""How many times longer to wait than on a machine of one's own: tests/kernels emulates the processor."""

_HERE = Path(__file__).parent
_TIMEOUT_S = 60 * patience


@dataclass(slots=True)
class Program:
    """A traffic program that runs; what it reported so far is in `rows`."""

    process: subprocess.Popen[bytes]
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lines = self._read()

    _lines: Iterator[Row] = field(init=False, repr=False)

    def ready(self) -> Program:
        """Wait until it says that it is."""
        for row in self._lines:
            if "ready" in row:
                return self
        self.process.wait()
        raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode} before it was ready")

    def end(self) -> list[Row]:
        """Wait for its end and return what it reported. Raises RuntimeError if it failed."""
        try:
            for _ in self._lines:
                pass
            if self.process.wait(_TIMEOUT_S):
                raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode}")
        finally:
            self.kill()
        return self.rows

    def kill(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stdin):
            if pipe is not None:
                pipe.close()

    def say(self, line: str) -> None:
        """Write a line to its stdin, and close that."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.close()

    def go_on(self) -> None:
        """Close its stdin, for which it waits."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _read(self) -> Iterator[Row]:
        stdout = self.process.stdout
        assert stdout is not None
        return self._told(stdout)

    def _told(self, stdout: IO[bytes]) -> Iterator[Row]:
        for line in stdout:
            row: Row = json.loads(line)
            if "ready" not in row:
                self.rows.append(row)
            yield row


class Host:
    """A network namespace, loopback up, and what is done in it. Keeps it for as long as it lives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.id = os.fstat(descriptor).st_ino

    @classmethod
    def new(cls) -> Host:
        """A namespace of its own."""
        made: list[int] = []
        # In a thread, which ends with it: this process stays where it is.
        thread = threading.Thread(target=lambda: made.append(_unshared()))
        thread.start()
        thread.join()
        host = cls(made[0])
        host.ip("link set lo up")
        return host

    @property
    def path(self) -> str:
        """The namespace, for children of this process and what they start."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def ip(self, *commands: str) -> None:
        """Commands of ip(8)."""
        self._enter("ip", "-batch", "-", stdin="\n".join(commands))

    def nft(self, rules: str) -> None:
        """Commands of nft(8), one a line."""
        self._enter("nft", "--file", "-", stdin=rules)

    def set(self, name: str, value: object) -> None:
        """A sysctl of this namespace."""
        self._enter("tee", "/proc/sys/" + name.replace(".", "/"), stdin=str(value))

    def start(self, program: str, *arguments: object) -> Program:
        """Start a traffic program, `module.function`."""
        command = [sys.executable, "-m", "traffic", program, *map(str, arguments)]
        return Program(
            subprocess.Popen(
                ["nsenter", f"--net={self.path}", "--", *command],
                cwd=_HERE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )

    def run(self, program: str, *arguments: object) -> list[Row]:
        """Run a traffic program to its end and return what it reported."""
        return self.start(program, *arguments).end()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)

    def _enter(self, *command: str, stdin: str) -> None:
        subprocess.run(
            ["nsenter", f"--net={self.path}", "--", *command],
            input=stdin.encode(),
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=_TIMEOUT_S,
        )


def _unshared() -> int:
    libc.unshare(libc.CLONE_NEWNET)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def machine() -> Host:
    """The namespace that the tests themselves run in."""
    return Host(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))


def link(one: Host, other: Host, name: str, subnet: int) -> None:
    """Join two hosts by a veth called `name` at either: 10.subnet.0.1 and .2, fd00:subnet::1 and ::2."""
    one.ip(f"link add {name} type veth peer name {name} netns {other.path}")
    for number, host in enumerate((one, other), 1):
        host.ip(
            f"link set {name} up",
            f"addr add 10.{subnet}.0.{number}/24 brd + dev {name}",
            f"addr add fd00:{subnet}::{number}/64 dev {name} nodad",
        )
