"""Resource use of a process, from /proc; and other attached sensors."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.5
# linux/bpf.h: kprobe, tracepoint, raw_tracepoint, tracing. Others, as systemd has them, run with no call or connection.
_TRACING = ("2", "5", "17", "26")


@dataclass(frozen=True)
class Cpu:
    """Hold the CPU time of a process, in seconds."""

    user_s: float
    system_s: float

    @classmethod
    def of(cls, pid: int) -> Cpu:
        """Return the CPU time of a process until now."""
        # utime and stime are the 14th and 15th field; the 2nd may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)

    def __sub__(self, before: Cpu) -> Cpu:
        return Cpu(self.user_s - before.user_s, self.system_s - before.system_s)

    @property
    def all_s(self) -> float:
        """Return user and system time together."""
        return self.user_s + self.system_s


def busy_s() -> float:
    """Return for how many seconds the machine's cores were busy since its boot."""
    # user, nice, system; without idle and waiting; irq, softirq, steal
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / _TICKS


class Patience:
    """Limit the total time that a benchmark waits for other sensors to detach."""

    def __init__(self, left_s: float) -> None:
        self._left_s = left_s

    def quiet(self, *, ours: Collection[int] = ()) -> bool:
        """Wait until no other sensor is attached or no time is left; return whether none is attached."""
        while other_sensors(ours):
            if self._left_s <= 0:
                return False
            time.sleep(_LOOK_S)
            self._left_s -= _LOOK_S
        return True


def running_s(pid: int) -> float:
    """Return for how many seconds its threads ran, to the nanosecond, while `Cpu` counts hundredths."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def memory_mb(pid: int) -> tuple[float, float]:
    """Return resident and proportional size, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = dict(line.split(":") for line in text.splitlines()[1:])
    return tuple(int(sizes[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss"))  # type: ignore[return-value]


def peak_mb(pid: int) -> float:
    """Return the peak resident size."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def other_sensors(ours: Collection[int] = ()) -> list[int]:
    """Return other processes with eBPF programs that may run at each call or connection of the machine."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return [pid for pid in pids if pid not in ours and _traces(pid)]


def _traces(pid: int) -> bool:
    try:
        return any(_is_tracing(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _is_tracing(descriptor: Path) -> bool:
    try:
        if str(descriptor.readlink()) != "anon_inode:bpf-prog":
            return False
        lines = (descriptor.parents[1] / "fdinfo" / descriptor.name).read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("prog_type:") and line.split()[1] in _TRACING for line in lines)
