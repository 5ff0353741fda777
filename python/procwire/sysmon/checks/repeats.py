"""Find filters and Rules that occur twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from procwire.matching.folding import fold
from procwire.sysmon.checks.words import named
from procwire.sysmon.model import Configuration, Filter, Finding, Operand, Rule

__all__ = ["check_repeats", "key"]


def check_repeats(configuration: Configuration) -> Iterator[Finding]:
    """Find repeats in the elements of every event: in one element, or in one Rule."""
    for element in configuration.elements:
        includes = element.onmatch == "include"
        yield from _repeated(element.operands, includes and element.relation == "or")
        for operand in element.operands:
            if isinstance(operand, Rule):
                yield from _repeated(operand.filters, includes and operand.relation == "or")


def key(operand: Operand) -> Hashable:
    """Return a key that is equal for filters that match the same texts."""
    if isinstance(operand, Filter):
        return operand.field, operand.condition, fold(operand.value)
    return operand.relation, frozenset(key(filter_) for filter_ in operand.filters)


def _repeated(operands: Iterable[Operand], first_names: bool) -> Iterator[Finding]:
    """Yield repeats. first_names: whether the first of the matching operands sets the name."""
    first: dict[Hashable, Operand] = {}
    for operand in operands:
        before = first.setdefault(key(operand), operand)
        if before is not operand:
            text = f"found {named(operand)} again: it is in line {before.place.line} already"
            if first_names and operand.name not in ("", before.name):
                text += f", so the name {operand.name!r} is never set"
            yield Finding(operand.place, "warning", text)
