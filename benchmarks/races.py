"""procwire against its peers: the same input, alternately, with a fresh process for each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from contenders import (
    DUCKDB,
    EVTX_LOADS,
    EVTX_STRINGS,
    LXML,
    POLARS,
    POLARS_IN_MEMORY,
    PROCWIRE,
    Contender,
)
from process import Run, compare, measure
from report import Claim, Section


@dataclass(frozen=True)
class Entrant:
    """Hold a contender in a race."""

    contender: Contender
    one_core: bool = False
    slice_only: bool = False
    """Too slow for the complete input: it reads the beginning, and throughputs are compared."""

    @property
    def label(self) -> str:
        """The name in tables."""
        return f"{self.contender.name}, pinned to one core" if self.one_core else self.contender.name


@dataclass(frozen=True)
class Race:
    """Hold the entrants for an input, and the target for procwire."""

    input: str
    peers: Sequence[Entrant]
    targets: Sequence[tuple[Sequence[Contender], float]]
    """The target: how many times as fast as the fastest of these peers."""
    one_core_gb_s: float | None = None


_OURS = Entrant(PROCWIRE)
_OURS_ON_ONE_CORE = Entrant(PROCWIRE, one_core=True)
_EVTX_PEERS = (Entrant(EVTX_STRINGS, slice_only=True), Entrant(EVTX_LOADS, slice_only=True))
_EVTX_TARGETS = (((EVTX_STRINGS,), 12.0), ((EVTX_LOADS,), 40.0))
_JSON_PEERS = (Entrant(DUCKDB), Entrant(POLARS), Entrant(POLARS_IN_MEMORY))
_JSON_TARGETS = (((DUCKDB, POLARS, POLARS_IN_MEMORY), 2.0),)

RACES = (
    Race("evtx-3pct.evtx", _EVTX_PEERS, _EVTX_TARGETS, one_core_gb_s=1.0),
    Race("evtx-dense.evtx", _EVTX_PEERS, _EVTX_TARGETS, one_core_gb_s=1.0),
    Race("xml.xml", (Entrant(LXML, slice_only=True),), (((LXML,), 30.0),)),
    Race("xml-10pct.xml", (Entrant(LXML, slice_only=True),), (((LXML,), 30.0),)),
    Race("winlogbeat.json", _JSON_PEERS, _JSON_TARGETS),
    Race("winlogbeat-10pct.json", _JSON_PEERS, _JSON_TARGETS),
)


class Timing:
    """Hold the runs of one entrant on one input."""

    def __init__(self, runs: Sequence[Run], size: int, path: Path) -> None:
        self.size = size
        self.path = path
        self.count = runs[0].count
        self._walls = sorted(run.wall_s for run in runs)
        self.wall_s = median(self._walls)
        self.cpu_s = median(run.cpu_s for run in runs)
        self.peak_mb = max(run.peak_mb for run in runs)
        self.mb_s = size / 1e6 / self.wall_s

    def row(self, label: str) -> tuple[str, ...]:
        """Return a row of the table."""
        spread = f"{self._walls[0]:.2f}-{self._walls[-1]:.2f}"
        numbers = (f"{self.size / 1e6:,.0f}", f"{self.count:,}", f"{self.wall_s:.3f}", spread, f"{self.cpu_s:.2f}")
        return (label, *numbers, f"{self.mb_s:,.0f}", f"{self.count / self.wall_s:,.0f}", f"{self.peak_mb:,.0f}")


_HEADINGS = ("reader", "MB", "found", "wall s", "range", "CPU s", "MB/s", "found/s", "peak MB")


def hold(race: Race, whole: Path, part: Path, runs: int) -> Section:
    """Run a race: a warm-up round, then the measured rounds."""
    ours = [_OURS, _OURS_ON_ONE_CORE] if race.one_core_gb_s else [_OURS]
    entrants = [*ours, *race.peers]
    paths = [part if entrant.slice_only else whole for entrant in entrants]
    taken: list[list[Run]] = [[] for _ in entrants]
    for round_number in range(runs + 1):
        for entrant, path, so_far in zip(entrants, paths, taken, strict=True):
            run = measure(entrant.contender.name, path, one_core=entrant.one_core)
            if round_number > 0:
                so_far.append(run)
    timings = {
        entrant: Timing(its_runs, path.stat().st_size, path)
        for entrant, path, its_runs in zip(entrants, paths, taken, strict=True)
    }
    rows: list[Sequence[str]] = [timing.row(entrant.label) for entrant, timing in timings.items()]
    return Section(race.input, _HEADINGS, rows, _claims(race, timings), _notes(race, timings))


def _claims(race: Race, timings: dict[Entrant, Timing]) -> list[Claim]:
    ours = timings[_OURS]
    claims = []
    for peers, target in race.targets:
        fastest = max((entrant for entrant in race.peers if entrant.contender in peers), key=lambda e: timings[e].mb_s)
        factor = ours.mb_s / timings[fastest].mb_s
        what = f"{race.input}: as fast as {fastest.label}"
        claims.append(Claim(what, f"{target:.0f} times", f"{factor:.1f} times", factor / target))
    if race.one_core_gb_s:
        gb_s = timings[_OURS_ON_ONE_CORE].mb_s / 1000
        what = f"{race.input}: on one core"
        claims.append(Claim(what, f"{race.one_core_gb_s:.1f} GB/s", f"{gb_s:.2f} GB/s", gb_s / race.one_core_gb_s))
    return claims


def _notes(race: Race, timings: dict[Entrant, Timing]) -> list[str]:
    """Return evidence that the comparison is fair. Raises an error if it is not."""
    notes = []
    if any(entrant.slice_only for entrant in race.peers):
        notes.append("The peers read the beginning of the same file, being slow; throughputs are compared.")
    for entrant in race.peers:
        timing = timings[entrant]
        found = compare(entrant.contender.name, timing.path)
        expected = found["records"] if entrant.contender.counts_records else found["events"]
        if timing.count != expected or found["missing"] or found["differing"]:
            raise RuntimeError(f"{race.input}: {entrant.label} found {timing.count}, expected {expected}; {found}")
        what = "records of all events" if entrant.contender.counts_records else "events 3"
        notes.append(
            f"{entrant.label}: {timing.count:,} {what}, as many as procwire finds there; "
            f"{found['compared']:,} events compared field by field, all equal."
        )
    return notes
