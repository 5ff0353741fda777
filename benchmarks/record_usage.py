"""What a process takes, as /proc tells; and what the kernel's programs take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.5
# Of one core.
_QUIET_PART = 0.15
_STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


@dataclass(frozen=True)
class Cpu:
    """CPU time of a process, seconds."""

    user_s: float
    system_s: float

    @classmethod
    def of(cls, pid: int) -> Cpu:
        """Until now."""
        # utime and stime are the 14th and 15th field; the 2nd may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(int(fields[11]) / _TICKS, int(fields[12]) / _TICKS)

    def __sub__(self, before: Cpu) -> Cpu:
        return Cpu(self.user_s - before.user_s, self.system_s - before.system_s)

    @property
    def all_s(self) -> float:
        """User and system."""
        return self.user_s + self.system_s


def busy_s() -> float:
    """Seconds that the machine's cores were busy since its boot."""
    # user, nice, system; without idle and waiting; irq, softirq, steal
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / _TICKS


def wait_until_quiet(timeout_s: float) -> None:
    """Until the machine has nothing to do and no other sensor is attached, but no longer."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        before_s = busy_s()
        time.sleep(_LOOK_S)
        if busy_s() - before_s < _LOOK_S * _QUIET_PART and not other_sensors():
            return


def running_s(pid: int) -> float:
    """Seconds that its threads ran, to the nanosecond, where `Cpu` counts hundredths."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident and proportional size."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = dict(line.split(":") for line in text.splitlines()[1:])
    return tuple(int(sizes[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss"))  # type: ignore[return-value]


@dataclass(frozen=True)
class ProgramTime:
    """Runs of an eBPF program, and the time they took."""

    runs: int
    run_ns: int


@contextmanager
def bpf_statistics() -> Iterator[None]:
    """The kernel times its programs, which itself costs them some 20 ns a run."""
    before = _STATS.read_text()
    _STATS.write_text("1")
    try:
        yield
    finally:
        _STATS.write_text(before)


def program_times(pid: int) -> Mapping[str, ProgramTime]:
    """The programs that a process holds, by name (by id where bpftool is not there to tell names)."""
    names = _program_names()
    times = {}
    for fdinfo in Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = dict(line.split(":", 1) for line in fdinfo.read_text().splitlines() if ":" in line)
        if "run_time_ns" in fields:
            number = int(fields["prog_id"])
            times[names.get(number, str(number))] = ProgramTime(int(fields["run_cnt"]), int(fields["run_time_ns"]))
    return times


def other_sensors() -> list[str]:
    """Programs attached by others that run with each connection: they would spoil the figures."""
    return sorted(name for name in _program_names().values() if name in ("set_state", "inet_sock_set_state"))


def _program_names() -> dict[int, str]:
    if shutil.which("bpftool") is None:
        return {}
    told = subprocess.run(["bpftool", "--json", "prog", "show"], check=True, capture_output=True)
    return {program["id"]: program["name"] for program in json.loads(told.stdout) if "name" in program}
