"""A loop of connections at full speed: how much a watcher slows it down, and what is lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from record_bystanders import Spread
from record_usage import Cpu, Patience, busy_s, other_sensors, running_s
from record_watchers import Auditd, Peers, Procwire, Recorders, Watcher, scratch
from record_workloads import Kind, Load, Programs
from report import Claim, Section

_CONFIGURATION = Path(__file__).parents[1] / "examples" / "configs" / "server-linux.xml"
_LOOPBACK = '<DestinationIp condition="begin with">127.</DestinationIp>'
# The load, and this program, whose connections show that all is written.
_NAMES = f"connections,{Path(sys.executable).resolve().name}"
# The greatest delay of a flow whose process is uncertain.
_UDP_HOLD_S = 1.5
_DISTURBED_PCT = 10.0


@dataclass(frozen=True)
class Setting:
    """Describe how to watch a load."""

    name: str
    kind: Kind
    cores: int
    watcher: Callable[[Path], Watcher]
    slowdown_pct: float | None = None
    """Target: the most additional time per connection; None for no target."""
    event_us: float | None = None
    """Target: the most CPU time of the watcher per event; None for no target."""
    kernel_us: float | None = None
    """Target: the most CPU time added to a connection in the kernel; None for no target."""
    pinned_to: int | None = None
    """A core for the watcher alone; None to share those of the load."""
    all_written: bool = True
    """Whether each event of the load must be written: nothing is filtered."""


@dataclass(frozen=True)
class Watched:
    """Hold a watched run, and the unwatched run beside it."""

    off: Load
    on: Load
    missing: int | None
    """Events of the load that were not written; None if the watcher's file does not show it."""
    lost: int | None
    """Events that the watcher reports as lost, of all processes; None if it does not report them."""
    used_s: float
    """CPU time of the watcher."""
    user_part: float
    """Of which user."""
    others_pct: float
    """CPU that others used in both runs, in % of all cores."""
    quiet: bool
    """No other sensor was attached."""

    @property
    def slowdown_pct(self) -> float:
        """Return by how much longer a connection took."""
        return (self.off.per_second / self.on.per_second - 1) * 100

    @property
    def added_us(self) -> float:
        """Return the CPU time added to a connection within the process that makes it."""
        return self.on.each_us - self.off.each_us

    @property
    def event_us(self) -> float:
        """Return the watcher's CPU time, user and system, per event of the load, written or not."""
        return self.used_s / self.on.events * 1e6

    @property
    def all_pct(self) -> float:
        """Return by how much the total CPU time per connection grew: the slow-down of a fully used machine."""
        return (self.added_us + self.used_s / self.on.made * 1e6) / self.off.each_us * 100


@dataclass(frozen=True)
class Rates:
    """Choose the settings for this machine."""

    settings: list[Setting]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def here(cls, recorders: Recorders, peers: Peers) -> Rates:
        """Return all of procwire's settings, two of the other recorders, and the peers that run."""
        cores = os.cpu_count() or 1
        found = [
            Setting("procwire, sharing the cores", "tcp", cores, Procwire, slowdown_pct=15, event_us=0.9, kernel_us=2.4)
        ]
        if cores > 1:
            name = "procwire, on a core of its own"
            found.append(Setting(name, "tcp", cores - 1, Procwire, slowdown_pct=8, event_us=0.9, pinned_to=cores - 1))
        found += [
            Setting(
                "procwire --protocol tcp",
                "tcp",
                cores,
                partial(Procwire, options=("--protocol", "tcp")),
                slowdown_pct=15,
                event_us=0.9,
                kernel_us=1.1,
            ),
            Setting("procwire, UDP", "udp", cores, Procwire, event_us=0.9),
            Setting("procwire -n", "tcp", cores, partial(Procwire, options=("-n", _NAMES)), event_us=1.5),
            Setting(
                "procwire --config server-linux.xml",
                "tcp",
                cores,
                _with_configuration,
                event_us=1.5,
                all_written=False,
            ),
            Setting(
                "procwire --where (a Python step)",
                "tcp",
                cores,
                partial(Procwire, options=("--where", "dst_port > 0")),
                event_us=3,
            ),
        ]
        for name, recorder in recorders.items():
            if name != Procwire.name:
                found.append(Setting(f"{name}, sharing the cores", "tcp", cores, recorder))
                if cores > 1:
                    found.append(
                        Setting(f"{name}, on a core of its own", "tcp", cores - 1, recorder, pinned_to=cores - 1)
                    )
        found += [Setting(peer.name, "tcp", cores, peer, all_written=False) for peer in peers.found]
        notes = [*peers.absent]
        if Auditd in peers.found:
            notes.append("Of auditd's own CPU time the kernel's thread that queues its records is missing.")
        return cls(found, notes)


def _with_configuration(folder: Path) -> Watcher:
    text = _CONFIGURATION.read_text(encoding="utf-8")
    if _LOOPBACK not in text:
        raise ValueError(f"{_CONFIGURATION}: found no {_LOOPBACK}, expected it: the load is on loopback")
    path = folder / "sysmon.xml"
    path.write_text(text.replace(_LOOPBACK, ""), encoding="utf-8")
    return Procwire(folder, ("--config", str(path)))


def rates(
    programs: Programs,
    recorders: Recorders,
    peers: Peers,
    seconds: float,
    rounds: int,
    tries: int,
    patience: Patience,
) -> Section:
    """Run each setting once per round, beside an unwatched run; repeat it if others were busy."""
    here = Rates.here(recorders, peers)
    runs: dict[str, list[Watched]] = {setting.name: [] for setting in here.settings}
    for number in range(rounds):
        for setting in random.sample(here.settings, len(here.settings)):
            print(f"  round {number + 1} of {rounds}: {setting.name}", file=sys.stderr)
            runs[setting.name].append(_least_disturbed(programs, setting, seconds, tries, patience))
    rows: list[Sequence[str]] = [_row(setting, runs[setting.name]) for setting in here.settings]
    claims = [claim for setting in here.settings for claim in _claims(setting, runs[setting.name])]
    headings = (
        "who watches", "load", "cores", "off /s", "on /s", "slow-down %", "loop's CPU us", "added us",
        "watcher us/event", "of it user %", "all CPU %", "events", "not written", "said lost", "others CPU %",
    )  # fmt: skip
    notes = [
        "All CPU: what a connection takes more, that of the watcher included; so much a machine slows down that has "
        "nothing else to do, and it does not depend on who else is busy.",
        "Watcher us/event is in a shared cache: it grows with what else the machine does.",
        "--config: examples/configs/server-linux.xml, but with loopback logged.",
        *here.notes,
    ]
    if disturbed := sum(not run.quiet for setting in here.settings for run in runs[setting.name]):
        notes.append(f"In {disturbed} runs a sensor of others was attached.")
    return Section("A loop of connections that takes all it can get", headings, rows, claims, notes)


def _least_disturbed(programs: Programs, setting: Setting, seconds: float, tries: int, patience: Patience) -> Watched:
    runs: list[Watched] = []
    while len(runs) < tries and not any(run.quiet and run.others_pct < _DISTURBED_PCT for run in runs):
        runs.append(watched(programs, setting, seconds, patience))
    return min(runs, key=lambda run: (not run.quiet, run.others_pct))


def watched(programs: Programs, setting: Setting, seconds: float, patience: Patience) -> Watched:
    """Make a run without a watcher and one with, in random order."""
    off_first = random.random() < 0.5
    quiet = patience.quiet()
    if off_first:
        off, off_others_s = _run(programs, setting, seconds)
    with scratch() as folder:
        watcher = setting.watcher(folder)
        with watcher:
            if setting.pinned_to is not None:
                pin = ["taskset", "-acp", str(setting.pinned_to), str(watcher.pid)]
                subprocess.run(pin, check=True, stdout=subprocess.DEVNULL)
            before, before_s = Cpu.of(watcher.pid), running_s(watcher.pid)
            on, on_others_s = _run(programs, setting, seconds, watcher)
            quiet = quiet and not other_sensors({watcher.pid})
            if setting.kind == "udp":
                time.sleep(_UDP_HOLD_S)
            watcher.settle()
            used_s, cpu = running_s(watcher.pid) - before_s, Cpu.of(watcher.pid) - before
        missing = _missing(setting, watcher, on)
        lost = watcher.lost()
    if not off_first:
        off, off_others_s = _run(programs, setting, seconds)
    others_pct = (off_others_s + on_others_s) / (off.seconds + on.seconds) / (os.cpu_count() or 1) * 100
    quiet = quiet and not other_sensors()
    return Watched(off, on, missing, lost, used_s, cpu.user_s / max(cpu.all_s, 1e-9), others_pct, quiet)


def _missing(setting: Setting, watcher: Watcher, on: Load) -> int | None:
    if not setting.all_written:
        return None
    if setting.kind == "udp":
        # A received datagram belongs to an older flow if a sender's port repeats: only sent ones are certain.
        found = watcher.events_of(on.pids, behind=b'initiated":true')
        return None if found is None else on.made - found
    found = watcher.events_of(on.pids)
    return None if found is None else on.events - found


def _run(programs: Programs, setting: Setting, seconds: float, watcher: Watcher | None = None) -> tuple[Load, float]:
    """Return a run of the load, and the seconds for which others were busy meanwhile."""
    before_s = _others_s(watcher)
    load = programs.run(setting.kind, seconds, setting.cores)
    return load, max(_others_s(watcher) - before_s, 0.0)


def _others_s(watcher: Watcher | None) -> float:
    ours = os.times()
    watching_s = Cpu.of(watcher.pid).all_s if watcher else 0.0
    return busy_s() - ours.children_user - ours.children_system - ours.user - ours.system - watching_s


def _row(setting: Setting, runs: Sequence[Watched]) -> tuple[str, ...]:
    missing, lost = _sum(run.missing for run in runs), _sum(run.lost for run in runs)
    return (
        setting.name,
        setting.kind,
        str(setting.cores),
        f"{median(run.off.per_second for run in runs):,.0f}",
        f"{median(run.on.per_second for run in runs):,.0f}",
        str(Spread.of([run.slowdown_pct for run in runs])),
        f"{median(run.off.each_us for run in runs):.1f}",
        f"{median(run.added_us for run in runs):+.1f}",
        f"{median(run.event_us for run in runs):.2f}",
        f"{median(run.user_part for run in runs) * 100:.0f}",
        str(Spread.of([run.all_pct for run in runs])),
        f"{sum(run.on.events for run in runs):,}",
        "" if missing is None else f"{missing:,}",
        "" if lost is None else f"{lost:,}",
        f"{median(run.others_pct for run in runs):.0f}",
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _claims(setting: Setting, runs: Sequence[Watched]) -> list[Claim]:
    claims = []
    if setting.slowdown_pct is not None:
        what, target = f"{setting.name}: slow-down of the loop", f"{setting.slowdown_pct:g}% or less"
        slow = Spread.of([run.slowdown_pct for run in runs])
        disturbed = "" if all(run.quiet for run in runs) else " (disturbed)"
        claims.append(Claim(what, target, f"{slow}%{disturbed}", setting.slowdown_pct / max(slow.middle, 0.1)))
    if setting.kernel_us is not None:
        what, target = f"{setting.name}: CPU time added to a connection", f"{setting.kernel_us:g} us or less"
        added = median(run.added_us for run in runs)
        claims.append(Claim(what, target, f"{added:.1f} us", setting.kernel_us / max(added, 0.01)))
    if setting.event_us is not None:
        what, target = f"{setting.name}: its CPU time for an event", f"{setting.event_us:g} us or less"
        each = median(run.event_us for run in runs)
        claims.append(Claim(what, target, f"{each:.2f} us", setting.event_us / each))
        lost = max(_sum(run.missing for run in runs) or 0, 0) + (_sum(run.lost for run in runs) or 0)
        claims.append(Claim(f"{setting.name}: events lost", "0", f"{lost:,}", 0.0 if lost else 1.0))
    return claims
