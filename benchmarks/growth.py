"""Growth of a lake with its fleet, and the limits of one machine: `python benchmarks/growth.py [--out FILE]`.

Nothing is measured here: constants that were (`Measured` says where) are carried on, day by day. So what it says of
ten thousand machines, and of clusters, is arithmetic, and no experience.
"""

from __future__ import annotations

import argparse
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path

FLEETS = (100, 1_000, 10_000)
SHOWN_DAYS = (1, 30, 90)
HOST_EVENTS_A_DAY = (1_000, 10_000)
"""Events per machine and day: as in tests/fleet (95.7 million of 800 machines in 119 days), and ten times as many."""
CORES = (8, 32, 128)
LIMITS_S = (60, 900, 3_600)
HUNTED_DAYS = 30


@dataclass(frozen=True, slots=True)
class Measured:
    """Hold the costs of an event, a commit and a hunt; each is an option of the command line."""

    appended_bytes: float = 25.7
    """Bytes per event, before compaction: 96 million in results/2026-11-24-lake.md."""
    compacted_bytes: float = 13.0
    """Bytes per event after compaction, in the same results."""
    compacted_events_a_s: float = 884_853
    """Events compacted per second on two cores, in the same results."""
    file_events: float = 8 << 20
    """Most events in a file: lake/maintenance.py."""
    commit_s: float = 0.043
    """Mean of 1,000 appends of 40 events by one writer to a local disk, on an idle machine; the longest took 0.27."""
    duckdb_start_s: float = 0.3
    duckdb_event_us: float = 0.73
    """The hunt for beacons on two cores: 96 million in results/2026-11-24-hunts.md."""
    spark_start_s: float = 27
    """A session of 13 s, and the constant part of the hunt: results/2026-11-24-spark.md."""
    spark_event_core_us: float = 9.1
    """Microseconds of one core per event: 1.05 and 9.95 million in 18.2 and 58.7 s on two, in the same results."""


@dataclass(slots=True)
class Lake:
    """Model a lake whose days are compacted each night, and dropped after `keep` days."""

    day_events: int
    keep: int
    measured: Measured
    days: deque[int] = field(default_factory=deque)
    """Return the events of each stored day."""

    def pass_day(self) -> None:
        self.days.append(self.day_events)
        while len(self.days) > self.keep:
            self.days.popleft()

    @property
    def events(self) -> int:
        return sum(self.days)

    @property
    def gigabytes(self) -> float:
        """Return the size: sorted files, and the last day's unsorted ones, which stay until the next night."""
        return (self.events * self.measured.compacted_bytes + self.days[-1] * self.measured.appended_bytes) / 1e9

    @property
    def files(self) -> int:
        return sum(math.ceil(events / self.measured.file_events) for events in self.days)

    @property
    def compaction_s(self) -> float:
        """Return the duration of a night's compaction, in seconds."""
        return self.days[-1] / self.measured.compacted_events_a_s

    @property
    def hunted(self) -> int:
        """Return the number of events that a hunt over the last days reads."""
        return sum(list(self.days)[-HUNTED_DAYS:])


def duckdb_s(events: float, measured: Measured) -> float:
    return measured.duckdb_start_s + events * measured.duckdb_event_us / 1e6


def spark_s(events: float, cores: int, measured: Measured) -> float:
    return measured.spark_start_s + events * measured.spark_event_core_us / 1e6 / cores


def growth_lines(host_events: int, keep: int, measured: Measured) -> Iterator[str]:
    clusters = " | ".join(f"Spark, {cores} cores" for cores in CORES)
    yield f"| machines | after days | events | GB | files | compaction a night | DuckDB, 2 cores | {clusters} |"
    yield "|--:" * (7 + len(CORES)) + "|"
    for hosts in FLEETS:
        lake = Lake(hosts * host_events, keep, measured)
        for day in range(1, max(SHOWN_DAYS) + 1):
            lake.pass_day()
            if day in SHOWN_DAYS:
                hunts = [duckdb_s(lake.hunted, measured), *(spark_s(lake.hunted, cores, measured) for cores in CORES)]
                cells = [f"{hosts:,}", str(day), f"{lake.events / 1e6:,.1f} M", f"{lake.gigabytes:,.2f}",
                         f"{lake.files:,}", reported(lake.compaction_s), *map(reported, hunts)]  # fmt: skip
                yield f"| {' | '.join(cells)} |"


def limit_lines(measured: Measured) -> Iterator[str]:
    """Yield lines about the limits of one machine, and of a lake to which all recorders commit."""
    machines = " | ".join(f"machines of {events:,} a day" for events in HOST_EVENTS_A_DAY)
    yield f"| a hunt on one machine may take | events of {HUNTED_DAYS} days | {machines} |"
    yield "|--:" * (2 + len(HOST_EVENTS_A_DAY)) + "|"
    for limit_s in LIMITS_S:
        events = (limit_s - measured.duckdb_start_s) / measured.duckdb_event_us * 1e6
        hosts = [f"{events / HUNTED_DAYS / host_events:,.0f}" for host_events in HOST_EVENTS_A_DAY]
        yield f"| {reported(limit_s)} | {events / 1e6:,.0f} M | {' | '.join(hosts)} |"
    for cores in CORES:
        saved_us = measured.duckdb_event_us - measured.spark_event_core_us / cores
        at = (measured.spark_start_s - measured.duckdb_start_s) / saved_us if saved_us > 0 else math.inf
        yield ""
        yield (f"Spark with {cores} cores is faster than DuckDB with two from {at:,.0f} million events on."
               if at < math.inf else f"Spark with {cores} cores is never faster than DuckDB with two.")  # fmt: skip
    yield ""
    busy = 10 / measured.commit_s
    yield f"Recorders that each commit every 10 s keep one table constantly busy from {busy:,.0f} recorders on."


def reported(seconds: float) -> str:
    """Return a duration with a suitable unit."""
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.3g} {unit}"
    return f"{seconds:.2g} s"


def report(keep: int, measured: Measured) -> str:
    given = [f"| {one.name} | {getattr(measured, one.name):,} |" for one in fields(Measured)]
    lines = [
        f"# Growth, {date.today().isoformat()}",
        "",
        f"Days are kept for {keep}, then the lake grows no more; hunts for beacons go over {HUNTED_DAYS} days.",
        "Computed by `benchmarks/growth.py`, which names the sources of its constants: arithmetic, not measurements.",
        "",
        "| constant | |",
        "|---|--:|",
        *given,
    ]
    for host_events in HOST_EVENTS_A_DAY:
        lines += ["", f"## {host_events:,} events a machine and day", "", *growth_lines(host_events, keep, measured)]
    return "\n".join([*lines, "", "## Where one machine ends", "", *limit_lines(measured)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=int, default=90, metavar="DAYS")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    for one in fields(Measured):
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=float, default=getattr(Measured(), one.name))
    wanted = parser.parse_args()
    reported_lines = report(wanted.keep, Measured(**{one.name: getattr(wanted, one.name) for one in fields(Measured)}))
    print(reported_lines, end="")
    if wanted.out:
        wanted.out.write_text(reported_lines)


if __name__ == "__main__":
    main()
