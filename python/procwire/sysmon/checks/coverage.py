"""Find rules that another rule covers, and includes that excludes void."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from procwire.sysmon.checks.implication import implies
from procwire.sysmon.checks.logic import contradictory
from procwire.sysmon.checks.repeats import key
from procwire.sysmon.checks.units import Alternative, Unit, units
from procwire.sysmon.checks.verdicts import outcome
from procwire.sysmon.checks.words import lines, named, shown
from procwire.sysmon.model import Configuration, Element, Finding

__all__ = ["check_coverage"]


def check_coverage(configuration: Configuration) -> Iterator[Finding]:
    """Find units of event 3's elements that others cover; what never or always matches is reported elsewhere."""
    asked = [unit for element in configuration.evaluation_order for unit in units(element)]
    excluding, including = (
        _Index([unit for unit in asked if unit.element.onmatch == kind], configuration)
        for kind in ("exclude", "include")
    )
    for unit in including.units:
        if covering := excluding.covering(unit):
            yield Finding(unit.owner.place, "warning", _voided(unit, covering))
        elif superfluous := _superfluous(unit, including):
            yield superfluous
    for unit in excluding.units:
        if superfluous := _superfluous(unit, excluding):
            yield superfluous


def _decided(unit: Unit, configuration: Configuration) -> bool:
    return any(
        contradictory(filters, configuration) or any(outcome(filter_, configuration) for filter_ in filters)
        for filters in unit.alternatives
    )


class _Entry(NamedTuple):
    place: int
    unit: Unit
    filters: Alternative


class _Index:
    """Hold undecided units of one kind, with their positions in Sysmon's order of evaluation."""

    def __init__(self, asked: Sequence[Unit], configuration: Configuration) -> None:
        self.units = [unit for unit in asked if not _decided(unit, configuration)]
        self._places = {id(unit.owner): place for place, unit in enumerate(asked)}
        self._runs = _runs(asked)
        self._by_field: dict[str, list[_Entry]] = {}
        for unit in self.units:
            place = self.place(unit)
            for filters in unit.alternatives:
                self._by_field.setdefault(filters[0].field, []).append(_Entry(place, unit, filters))

    def place(self, unit: Unit) -> int:
        return self._places[id(unit.owner)]

    def covering(self, unit: Unit) -> list[_Entry]:
        """Return, for each alternative of a unit, one of another unit that covers it; empty if any has none."""
        covering = []
        for filters in unit.alternatives:
            widest: _Entry | None = None
            for entry in self._covering(filters, unit):
                # Skip a unit that itself does nothing.
                if widest is None or (_covers(entry.filters, widest.filters) and self._beats(entry, widest.unit)):
                    widest = entry
            if widest is None:
                return []
            covering.append(widest)
        return covering

    def _covering(self, filters: Alternative, unit: Unit) -> Iterator[_Entry]:
        for field in {filter_.field for filter_ in filters}:
            for entry in self._by_field.get(field, ()):
                if _covers(entry.filters, filters) and self._beats(entry, unit):
                    yield entry

    def _beats(self, entry: _Entry, unit: Unit) -> bool:
        """Return whether a unit does nothing beside another one that covers it."""
        if entry.unit.element.onmatch != unit.element.onmatch:
            return True
        if entry.unit.owner is unit.owner or (entry.unit.element is unit.element and _alike(entry.unit, unit)):
            return False
        if not _covered_by(entry.unit, unit):
            return entry.place < self.place(unit) or self._exchangeable(entry, unit)
        # Both are equivalent: report the one that is never evaluated, or else comes later in the file.
        if not self._exchangeable(entry, unit):
            return entry.place < self.place(unit)
        return entry.unit.owner.place < unit.owner.place

    def _exchangeable(self, entry: _Entry, unit: Unit) -> bool:
        """Return whether it does not matter which of them sets the name, nor what is evaluated between them."""
        return unit.element.onmatch == "exclude" or self._runs[entry.place] == self._runs[self.place(unit)]


def _runs(asked: Sequence[Unit]) -> list[int]:
    """Return a number for each unit; consecutive units that set the same single name share a number."""
    runs: list[int] = []
    before: set[str] = set()
    for unit in asked:
        same = len(unit.names) == 1 and unit.names == before
        runs.append(runs[-1] if same else len(runs))
        before = unit.names
    return runs


def _covers(wide: Alternative, narrow: Alternative) -> bool:
    if len(wide) == len(narrow) == 1:
        return implies(narrow[0], wide[0])
    return all(any(implies(filter_, wanted) for filter_ in narrow) for wanted in wide)


def _covered_by(narrow: Unit, wide: Unit) -> bool:
    return all(any(_covers(b, a) for b in wide.alternatives) for a in narrow.alternatives)


def _alike(one: Unit, other: Unit) -> bool:
    """Return whether one unit repeats the other within an element, which `repeats` reports."""
    owners = (one.owner, other.owner)
    return not any(isinstance(owner, Element) for owner in owners) and key(one.owner) == key(other.owner)  # type: ignore[arg-type]


def _superfluous(unit: Unit, index: _Index) -> Finding | None:
    covering = index.covering(unit)
    if not covering:
        return None
    text = (
        f"found {named(unit.owner)}, which does nothing: {_cover(covering)} {unit.element.onmatch}s all that it matches"
    )
    names = unit.names - {""} - set().union(*(entry.unit.names for entry in covering))
    if unit.element.onmatch == "include" and names:
        text += f" and is evaluated first, so the name {min(names)!r} is never set"
    return Finding(unit.owner.place, "warning", text)


def _voided(unit: Unit, covering: Sequence[_Entry]) -> str:
    return f"found {named(unit.owner)}, which never includes anything: {_cover(covering)} excludes all that it matches"


def _cover(covering: Sequence[_Entry]) -> str:
    first = covering[0]
    if len({entry.unit.owner.place for entry in covering}) > 1:
        return f"what is in {lines(entry.unit.owner.place.line for entry in covering)}"
    what = shown(first.filters[0]) if len(first.filters) == 1 else named(first.unit.owner)
    return f"{what} in line {first.filters[0].place.line if len(first.filters) == 1 else first.unit.owner.place.line}"
