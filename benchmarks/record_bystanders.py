"""Costs of a watcher for programs with and without connections: CPU time with and without it, in pairs."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from record_usage import Patience, other_sensors
from record_watchers import Peers, Procwire, Recorders, Watcher, scratch
from record_workloads import Programs, Workload, missing, workloads
from report import Claim, Section

_WORK_CORE = 0
_OFF, _CONTROL = "nobody", "nobody, again"
_SLICES = 3
_TRIES = 3
# With fewer undisturbed pairs than this, use all pairs.
_ENOUGH = 4
_NOISE_PCT = 1.0
# Peers take part in every Nth round.
_PEER_ROUNDS = 3

Costs = dict[str, tuple[float, bool]]
"""Microseconds per operation by workload, and whether no other sensor was attached meanwhile."""


class Spread(NamedTuple):
    """Hold a median and its quartiles."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute them from all values."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(low, median(values), high)

    def __str__(self) -> str:
        return f"{self.middle:+.1f} ({self.low:+.1f}..{self.high:+.1f})"


def bystanders(
    programs: Programs, recorders: Recorders, peers: Peers, rounds: int, seconds: float, patience: Patience
) -> Section:
    """Run rounds of all workloads without a watcher, again without, with recorders and with peers, in random order.

    For each workload in each round the least disturbed of three slices of `seconds` counts. Ctrl-C ends the rounds;
    complete ones count.
    """
    results: list[dict[str, Costs]] = []
    for number in range(rounds):
        who: list[tuple[str, Callable[[Path], Watcher] | None]] = [(_OFF, None), (_CONTROL, None)]
        who += recorders.items()
        if number % _PEER_ROUNDS == 0:
            who += [(peer.name, peer) for peer in peers.found]
        random.shuffle(who)
        print(f"  round {number + 1} of {rounds}: {', '.join(name for name, _ in who)}", file=sys.stderr)
        try:
            results.append({name: _measure(programs, seconds, watcher, patience) for name, watcher in who})
        except KeyboardInterrupt:
            if not results:
                raise
            break
    names = [_CONTROL, *recorders, *(peer.name for peer in peers.found)]
    stopped = {_CONTROL, *recorders}
    found = _order(programs, seconds)
    rows = [_row(workload, names, stopped, results) for workload in found]
    claims = [claim for workload in found if (claim := _claim(workload, results)) is not None]
    notes = [
        f"CPU time added, in % of that with nobody: medians of {len(results)} rounds, in brackets their quartiles.",
        *(f"{name} is not installed, so that its workloads are missing." for name in missing()),
        *peers.absent,
    ]
    quiet = [quiet for costs in results for block in costs.values() for _, quiet in block.values()]
    if not all(quiet):
        notes.append(
            f"A sensor of others was attached in {quiet.count(False)} of {len(quiet)} measurements; they count only "
            f"where fewer than {_ENOUGH} pairs of a workload are left without them (disturbed)."
        )
    headings = ("what is done", "with nobody us", *(f"{name} %" for name in names), "procwire us", "target", "")
    return Section("What each operation costs", headings, rows, claims, notes)


def _order(programs: Programs, seconds: float) -> Sequence[Workload]:
    with workloads(programs, seconds) as found:
        return found


def _measure(
    programs: Programs, seconds: float, watcher: Callable[[Path], Watcher] | None, patience: Patience
) -> Costs:
    """Run all workloads in slices; repeat those during which another sensor was attached."""
    costs: Costs = {}
    with _watching(watcher) as watching, workloads(programs, seconds) as found, _pinned():
        ours = {watching.pid} if watching else set()
        for workload in random.sample(found, len(found)):
            for _ in range(_TRIES):
                quiet = patience.quiet(ours=ours)
                each_us = min(_slice(workload, watching) for _ in range(_SLICES))
                quiet = quiet and not other_sensors(ours)
                costs[workload.name] = each_us, quiet
                if quiet:
                    break
    return costs


@contextmanager
def _watching(watcher: Callable[[Path], Watcher] | None) -> Iterator[Watcher | None]:
    """Start a watcher on all cores except that of the workload."""
    if watcher is None:
        yield None
        return
    with scratch() as folder, watcher(folder) as watching:
        rest = set(range(os.cpu_count() or 1)) - {_WORK_CORE}
        for thread in Path(f"/proc/{watching.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), rest or {_WORK_CORE})
        yield watching


@contextmanager
def _pinned() -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_WORK_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _slice(workload: Workload, watching: Watcher | None) -> float:
    paused = workload.paused and watching is not None and watching.pausable
    if not paused or watching is None:
        return workload.each_us()
    watching.pause()
    try:
        return workload.each_us()
    finally:
        watching.resume()
        time.sleep(0.1)


def _pairs(name: str, workload: Workload, results: Sequence[dict[str, Costs]]) -> list[tuple[float, float]]:
    """Return microseconds without and with a watcher, for each round with both; if enough, only undisturbed ones."""
    found = [(costs[_OFF][workload.name], costs[name][workload.name]) for costs in results if name in costs]
    quiet = [(off_us, on_us) for (off_us, off_quiet), (on_us, on_quiet) in found if off_quiet and on_quiet]
    return quiet if _is_enough(quiet, found) else [(off_us, on_us) for (off_us, _), (on_us, _) in found]


def _is_enough(quiet: Sized, found: Sized) -> bool:
    return len(quiet) >= min(_ENOUGH, len(found))


def _disturbed(workload: Workload, results: Sequence[dict[str, Costs]]) -> str:
    """Return a note if other sensors affect procwire's figures."""
    quiet = [costs for costs in results if all(costs[name][workload.name][1] for name in (_OFF, Procwire.name))]
    return "" if _is_enough(quiet, results) else " (disturbed)"


def _changed(name: str, workload: Workload, results: Sequence[dict[str, Costs]]) -> Spread:
    """Return a ratio's change as text, in %."""
    return Spread.of([(on_us / off_us - 1) * 100 for off_us, on_us in _pairs(name, workload, results)])


def _row(
    workload: Workload, names: Sequence[str], stopped: Container[str], results: Sequence[dict[str, Costs]]
) -> Sequence[str]:
    # Peers are not stopped meanwhile: they would lose events, and cost less for it.
    asked = [name in stopped or not workload.paused for name in names]
    spreads = [str(_changed(name, workload, results)) if ask else "" for name, ask in zip(names, asked, strict=True)]
    alone = median(off_us for off_us, _ in _pairs(Procwire.name, workload, results))
    claim = _claim(workload, results)
    judged = (claim.target, "met" if claim.met else "MISSED") if claim else ("", "")
    return (workload.name, f"{alone:,.3f}", *spreads, f"{_added(workload, results).middle:+.3f}", *judged)


def _added(workload: Workload, results: Sequence[dict[str, Costs]]) -> Spread:
    """Return the microseconds that procwire adds."""
    return Spread.of([on_us - off_us for off_us, on_us in _pairs(Procwire.name, workload, results)])


def _claim(workload: Workload, results: Sequence[dict[str, Costs]]) -> Claim | None:
    limit, changes = workload.limit, _changed(Procwire.name, workload, results)
    what, disturbed = f"added to: {workload.name}", _disturbed(workload, results)
    if limit.us is not None:
        added = _added(workload, results)
        measured = f"{added.middle:.2f} us{disturbed}"
        return Claim(what, f"{limit.us:g} us or less", measured, limit.us / max(added.middle, 0.01))
    if limit.pct is not None:
        return Claim(what, f"{limit.pct:g}% or less", f"{changes}%{disturbed}", limit.pct / max(changes.middle, 0.01))
    if limit.nothing:
        # The quartiles do not distinguish it from no change, or it is less than pairs can show here.
        unchanged = changes.low <= 0 or changes.middle <= _NOISE_PCT
        return Claim(what, "no change", f"{changes}%{disturbed}", 1.0 if unchanged else 0.0)
    return None
