"""The load of the recorder's benchmark: `connections.c`, compiled and run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_SOURCE = Path(__file__).with_name("connections.c")
EVENTS_EACH = 2
"""Of a TCP connection both ends are told, of a UDP datagram that it was sent and that it was received."""

Kind = Literal["tcp", "udp"]


@dataclass(frozen=True)
class Load:
    """What a run of the load made."""

    made: int
    failed: int
    seconds: float
    cpu_s: float
    """CPU time of its processes, which holds the kernel's work in their calls, and not that of who competes."""
    pids: list[int]

    @property
    def per_second(self) -> float:
        """Connections a second."""
        return self.made / self.seconds

    @property
    def each_us(self) -> float:
        """CPU time of a connection."""
        return self.cpu_s / self.made * 1e6

    @property
    def events(self) -> int:
        """What a recorder should tell of it."""
        return self.made * EVENTS_EACH


@dataclass(frozen=True)
class LoadProgram:
    """The load, compiled."""

    path: Path

    @classmethod
    def build(cls, folder: Path) -> LoadProgram:
        """Compile it into a folder, by the compiler that builds the sensor."""
        path = folder / "connections"
        compiler = [sys.executable, "-m", "ziglang", "cc", "-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*compiler, "-Wno-missing-field-initializers", "-o", str(path), str(_SOURCE)], check=True)
        return cls(path)

    def start(
        self, kind: Kind, seconds: float, cores: int, per_second: float = 0, count: int = 0
    ) -> subprocess.Popen[str]:
        """Begin a run; `per_second` and `count` of 0 for as many as possible."""
        numbers = map(str, (seconds, cores, per_second, count))
        return subprocess.Popen([str(self.path), kind, *numbers], stdout=subprocess.PIPE, text=True)

    def run(self, kind: Kind, seconds: float, cores: int, per_second: float = 0, count: int = 0) -> Load:
        """A whole run."""
        return finished(self.start(kind, seconds, cores, per_second, count))


def finished(process: subprocess.Popen[str]) -> Load:
    """What a run made, once it is over. Raises RuntimeError if it failed."""
    text, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"found exit code {process.returncode} of the load, expected 0")
    return Load(**json.loads(text))
