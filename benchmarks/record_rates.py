"""How much the load slows down where it is watched, and what is lost: procwire and bpftrace, in turn with nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from record_load import Kind, Load, LoadProgram
from record_usage import Cpu, busy_s, wait_until_quiet
from record_watchers import Bpftrace, Procwire, Watcher, scratch
from report import Claim, Section

SLOWDOWN_TARGET_PCT = 5.0
USER_TARGET_US = 10.0
# A flow whose process is not certain is told so late.
_UDP_HOLD_S = 1.5
_QUIET_TIMEOUT_S = 10.0
_DISTURBED_PCT = 10.0
_LARGE_RING_MB = "512"


@dataclass(frozen=True)
class Setting:
    """A way to watch a load."""

    name: str
    kind: Kind
    cores: int
    watcher: Callable[[Path], Watcher]
    paused: bool = False
    """The watcher's user side stands still while the load runs, and catches up afterwards."""
    pinned_to: int | None = None
    """A core for the watcher alone."""


@dataclass(frozen=True)
class Watched:
    """A run that was watched, and the one before it that was not."""

    off: Load
    on: Load
    found: int
    """Events of the load's processes that were written."""
    missing: int
    """Events of the load that were not written."""
    lost: int
    """Events that the watcher says it lost, of all processes."""
    cpu: Cpu
    others_pct: float
    """CPU that others used in both runs, in % of all cores."""

    @property
    def slowdown_pct(self) -> float:
        """By how much more time a connection took."""
        return (self.off.per_second / self.on.per_second - 1) * 100

    @property
    def added_us(self) -> float:
        """CPU time that was added to a connection, within the process that makes it."""
        return self.on.each_us - self.off.each_us

    @property
    def added_pct(self) -> float:
        """The same, of what a connection takes."""
        return self.added_us / self.off.each_us * 100

    @property
    def cpu_us(self) -> float:
        """CPU time of the watcher, user and system, for an event."""
        return self.cpu.all_s / max(self.found, 1) * 1e6

    @property
    def user_us(self) -> float:
        """Of which user."""
        return self.cpu.user_s / max(self.found, 1) * 1e6


def settings() -> list[Setting]:
    """All that are measured on this machine."""
    cores = os.cpu_count() or 1
    found = [
        Setting("procwire, all cores loaded", "tcp", cores, Procwire),
        Setting("procwire's kernel side alone", "tcp", cores, _with_large_ring, paused=True),
    ]
    if cores > 1:
        found += [Setting("procwire, on a core of its own", "tcp", cores - 1, Procwire, pinned_to=cores - 1)]
    found += [
        Setting("procwire, UDP", "udp", cores, Procwire),
        Setting("procwire's kernel side alone, UDP", "udp", cores, _with_large_ring, paused=True),
    ]
    if Bpftrace.version() is not None:
        found += [Setting("bpftrace, all cores loaded", "tcp", cores, Bpftrace)]
    return found


def _with_large_ring(folder: Path) -> Procwire:
    return Procwire(folder, "--buffer-mb", _LARGE_RING_MB)


def rates(program: LoadProgram, seconds: float, rounds: int, tries: int) -> Section:
    """Each setting once a round, each time after a run that nobody watches; tried again where others were busy."""
    runs: dict[str, list[Watched]] = {setting.name: [] for setting in settings()}
    for number in range(rounds):
        for setting in settings():
            print(f"  round {number + 1} of {rounds}: {setting.name}", file=sys.stderr)
            runs[setting.name].append(_least_disturbed(program, setting, seconds, tries))
    rows: list[Sequence[str]] = [_row(setting, runs[setting.name]) for setting in settings()]
    claims = [claim for setting in settings() for claim in _claims(setting, runs[setting.name])]
    notes = [] if Bpftrace.version() else ["bpftrace is not installed here, so that there is nothing to compare with."]
    headings = (
        "who watches", "load", "cores", "off /s", "on /s", "slow-down %", "range",
        "loop's CPU us",
        "added us",
        "events", "not written", "said lost", "CPU us/event", "user us/event",
        "others CPU %",
    )  # fmt: skip
    return Section("Slow-down and losses", headings, rows, claims, notes)


def _least_disturbed(program: LoadProgram, setting: Setting, seconds: float, tries: int) -> Watched:
    runs: list[Watched] = []
    while len(runs) < tries and not any(run.others_pct < _DISTURBED_PCT for run in runs):
        runs.append(watched(program, setting, seconds))
    return min(runs, key=lambda run: run.others_pct)


def watched(program: LoadProgram, setting: Setting, seconds: float) -> Watched:
    """A run without a watcher, begun when the machine is quiet (if it soon is), then one with."""
    off, off_others_s = _run(program, setting, seconds)
    with scratch() as folder:
        watcher = setting.watcher(folder)
        with watcher:
            if setting.pinned_to is not None:
                pin = ["taskset", "-acp", str(setting.pinned_to), str(watcher.pid)]
                subprocess.run(pin, check=True, stdout=subprocess.DEVNULL)
            before = Cpu.of(watcher.pid)
            if setting.paused:
                watcher.pause()
            on, on_others_s = _run(program, setting, seconds, watcher)
            watcher.resume()
            if setting.kind == "udp":
                time.sleep(_UDP_HOLD_S)
            watcher.settle()
            cpu = Cpu.of(watcher.pid) - before
        found = watcher.events_of(on.pids)
        missing = on.events - found
        if setting.kind == "udp":
            # What is received is a flow seen before where a sender's port comes again: only what is sent is certain.
            missing = on.made - watcher.events_of(on.pids, behind=b'initiated":true')
        others_pct = (off_others_s + on_others_s) / (off.seconds + on.seconds) / (os.cpu_count() or 1) * 100
        return Watched(off, on, found, missing, watcher.lost(), cpu, others_pct)


def _run(program: LoadProgram, setting: Setting, seconds: float, watcher: Watcher | None = None) -> tuple[Load, float]:
    """A run of the load, and for how many seconds others were busy meanwhile."""
    if watcher is None:
        wait_until_quiet(_QUIET_TIMEOUT_S)
    before_s = _others_s(watcher)
    load = program.run(setting.kind, seconds, setting.cores)
    return load, max(_others_s(watcher) - before_s, 0.0)


def _others_s(watcher: Watcher | None) -> float:
    ours = os.times()
    watching_s = Cpu.of(watcher.pid).all_s if watcher else 0.0
    return busy_s() - ours.children_user - ours.children_system - ours.user - ours.system - watching_s


def _row(setting: Setting, runs: Sequence[Watched]) -> tuple[str, ...]:
    slow = [run.slowdown_pct for run in runs]
    events = sum(run.on.events if setting.kind == "tcp" else run.on.made for run in runs)
    missing = sum(run.missing for run in runs)
    return (
        setting.name,
        setting.kind,
        str(setting.cores),
        f"{median(run.off.per_second for run in runs):,.0f}",
        f"{median(run.on.per_second for run in runs):,.0f}",
        f"{median(slow):.1f}",
        f"{min(slow):.1f} to {max(slow):.1f}",
        f"{median(run.off.each_us for run in runs):.1f}",
        f"{median(run.added_us for run in runs):+.1f}",
        f"{events:,}",
        f"{missing:,} ({missing / events * 100:.1f}%)",
        f"{sum(run.lost for run in runs):,}",
        f"{median(run.cpu_us for run in runs):.1f}",
        f"{median(run.user_us for run in runs):.1f}",
        f"{median(run.others_pct for run in runs):.0f}",
    )


def _claims(setting: Setting, runs: Sequence[Watched]) -> list[Claim]:
    if setting.watcher is Bpftrace:
        return []
    slow = median(run.slowdown_pct for run in runs)
    claims = [
        Claim(
            f"{setting.name}: slow-down of the loop",
            f"{SLOWDOWN_TARGET_PCT:.0f}% or less",
            f"{slow:.1f}%",
            SLOWDOWN_TARGET_PCT / max(slow, 0.1),
        )
    ]
    if setting.paused:
        added = median(run.added_pct for run in runs)
        what = f"{setting.name}: CPU time added to the loop's own"
        claims.append(
            Claim(what, f"{SLOWDOWN_TARGET_PCT:.0f}% or less", f"{added:.1f}%", SLOWDOWN_TARGET_PCT / max(added, 0.1))
        )
    lost = sum(run.missing for run in runs)
    claims.append(Claim(f"{setting.name}: events of the load lost", "0", f"{lost:,}", 0.0 if lost else 1.0))
    if not setting.paused:
        cpu_us = median(run.cpu_us for run in runs)
        what = f"{setting.name}: CPU time of the recorder for an event, to NDJSON"
        claims.append(Claim(what, f"{USER_TARGET_US:.0f} us or less", f"{cpu_us:.1f} us", USER_TARGET_US / cpu_us))
    return claims
