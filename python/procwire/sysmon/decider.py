"""Decide by a configuration from the hits of each field's text: the fast path beside `sysmon.evaluate`.

Filters are numbered in the order in which Sysmon evaluates them, so the lowest number that matches in an OR element
decides. An event's hits (`matching.hits`) are the numbers of the filters whose condition holds, and of the negative
ones (`is not`) whose opposite (`is`) holds: most texts hit few filters of many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from procwire.matching.deciders import Decide, all_of, any_of, first_of
from procwire.matching.hits import Hits
from procwire.sysmon.conditions import OPPOSITES
from procwire.sysmon.evaluate import NO_NAME
from procwire.sysmon.model import Configuration, Filter, Operand, Rule

__all__ = ["decider", "fulfils", "numbered"]

NameOf = Callable[[Hits], str | None]
"""Returns the rule's name for the hits of an event: `-` if it has none, None if the event is not logged."""
_Asked = tuple[Filter, int]
"""A filter and its number."""


def numbered(configuration: Configuration) -> Iterator[_Asked]:
    """Yield every filter for event 3 with its number, in the order of the numbers."""
    ordered = (filter_ for element in configuration.evaluation_order for filter_ in element.filters)
    return ((filter_, number) for number, filter_ in enumerate(ordered))


def fulfils(hits: Hits, filter_: Filter, number: int) -> bool:
    """Return whether an event with these hits fulfils a filter."""
    return (number in hits) != (filter_.condition in OPPOSITES)


def decider(configuration: Configuration) -> NameOf:
    """Return a function that decides about events whose fields all have a text.

    It does not reproduce Sysmon's bug of stale names (`evaluate.decide`).
    """
    asked = numbered(configuration)
    tests = []
    for element in configuration.evaluation_order:
        operands = [_Operand(operand, asked) for operand in element.operands]
        name_of = _any(operands) if element.relation == "or" else _all(operands)
        tests.append((element.onmatch == "include", name_of))
    otherwise = NO_NAME if configuration.logs_by_default else None

    def decide(hits: Hits) -> str | None:
        for includes, name_of in tests:
            name = name_of(hits)
            if name is not None:
                return name if includes else None
        return otherwise

    return decide


def _split(asked: Iterable[_Asked]) -> tuple[list[int], list[int]]:
    """Return the numbers of the positive filters, which a hit fulfils, and of the negative ones, which it fails."""
    numbers: tuple[list[int], list[int]] = [], []
    for filter_, number in asked:
        numbers[filter_.condition in OPPOSITES].append(number)
    return numbers


class _Operand:
    """Hold a filter, or a Rule with its filters; their numbers come from `asked`."""

    def __init__(self, operand: Operand, asked: Iterator[_Asked]) -> None:
        self.filters = list(islice(asked, len(operand.filters) if isinstance(operand, Rule) else 1))
        self.field = None if isinstance(operand, Rule) else operand.field
        self.needs_all = isinstance(operand, Rule) and operand.relation == "and"
        self.matches: Decide = (all_of if self.needs_all else any_of)(*_split(self.filters))

    @property
    def first(self) -> int:
        """Return the number of the operand's first filter, which gives its position."""
        return self.filters[0][1]

    def name(self, hits: Hits) -> str:
        """Return the rule name when the operand matches; empty if it has none."""
        if self.needs_all:
            return next((filter_.name for filter_, _ in reversed(self.filters) if filter_.name), "")
        return next(filter_.name for filter_, number in self.filters if fulfils(hits, filter_, number))


def _any(operands: Sequence[_Operand]) -> NameOf:
    """Return a function for an OR element's name, None if it does not match: its first matching operand decides."""
    together = [operand for operand in operands if operand.needs_all]
    single = [one for operand in operands if not operand.needs_all for one in operand.filters]
    names = {number: filter_.name or NO_NAME for filter_, number in single}
    first_single = first_of(*_split(single))

    def name_of(hits: Hits) -> str | None:
        first = first_single(hits)
        for operand in together:
            if first is not None and operand.first > first:
                break
            if operand.matches(hits):
                return operand.name(hits) or NO_NAME
        return None if first is None else names[first]

    return name_of


def _all(operands: Sequence[_Operand]) -> NameOf:
    """Return a function for an AND element's name, None if it does not match; filters of a field are alternatives."""
    rules = [operand for operand in operands if operand.field is None]
    fields: dict[str, list[_Asked]] = {}
    for operand in operands:
        if operand.field is not None:
            fields.setdefault(operand.field, []).extend(operand.filters)
    alternatives = [any_of(*_split(asked)) for asked in fields.values()]
    matches = all_of((), (), [*(rule.matches for rule in rules), *alternatives])

    def name_of(hits: Hits) -> str | None:
        return _name_of_all(operands, hits) if operands and matches(hits) else None

    return name_of


def _name_of_all(operands: Sequence[_Operand], hits: Hits) -> str:
    """Return the last name of a filter that was evaluated and matched: in each field only the first match is."""
    name = ""
    matched: set[str] = set()
    for operand in operands:
        if operand.field is None:
            name = operand.name(hits) or name
        elif operand.field not in matched and operand.matches(hits):
            matched.add(operand.field)
            name = operand.name(hits) or name
    return name or NO_NAME
