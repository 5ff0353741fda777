"""Split an element of event 3 into units that match by themselves, each a list of alternatives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import NamedTuple

from procwire.sysmon.model import Element, Filter, Operand, Rule

__all__ = ["Alternative", "Unit", "choices", "filters_by_field", "units"]

Alternative = tuple[Filter, ...]
"""Filters that must match together."""

_MOST_ALTERNATIVES = 256


class Unit(NamedTuple):
    """Hold an operand of an OR element, or an entire AND element."""

    owner: Operand | Element
    element: Element
    alternatives: tuple[Alternative, ...]

    @property
    def names(self) -> set[str]:
        """Return the names that it may set."""
        return {next((filter_.name for filter_ in filters[::-1] if filter_.name), "") for filters in self.alternatives}


def units(element: Element) -> Iterator[Unit]:
    """Yield the units in Sysmon's order of evaluation; none for an AND element with very many alternatives."""
    if element.relation == "or":
        for operand in element.operands:
            yield Unit(operand, element, _of_operand(operand))
    elif element.operands:
        found = choices(element)
        few = prod(map(len, found)) <= _MOST_ALTERNATIVES
        yield Unit(element, element, tuple(sum(parts, ()) for parts in product(*found)) if few else ())


def filters_by_field(filters: Iterable[Operand]) -> dict[str, list[Filter]]:
    """Return the filters among operands, field by field."""
    found: dict[str, list[Filter]] = {}
    for filter_ in filters:
        if isinstance(filter_, Filter):
            found.setdefault(filter_.field, []).append(filter_)
    return found


def _of_operand(operand: Operand) -> tuple[Alternative, ...]:
    if isinstance(operand, Filter):
        return ((operand,),)
    return (operand.filters,) if operand.relation == "and" else tuple((filter_,) for filter_ in operand.filters)


def choices(element: Element) -> list[tuple[Alternative, ...]]:
    """Return the groups of operands of an AND element: the filters of one field, and each Rule by itself."""
    fields = filters_by_field(element.operands).values()
    rules = [operand for operand in element.operands if isinstance(operand, Rule)]
    return [tuple((filter_,) for filter_ in filters) for filters in fields] + [_of_operand(rule) for rule in rules]
