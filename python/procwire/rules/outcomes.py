"""A configuration's decision, from the hits of each field's text: the fast path beside `rules.evaluate`.

Filters are numbered in the order in which Sysmon asks them, so that the lowest number of what matches in an OR element
is what decides. What hits are, and how few they are, `rules.answers` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from procwire.rules.answers import NO_HITS, Hits
from procwire.rules.conditions import OPPOSITES
from procwire.rules.evaluate import NO_NAME
from procwire.rules.model import Configuration, Filter, Operand, Rule

__all__ = ["decider", "fulfils", "numbered"]

Decide = Callable[[Hits], str | None]
"""From the hits of an event to the rule's name, `-` without one, None where it is not logged."""
_Asked = tuple[Filter, int]
"""A filter and its number."""


def numbered(configuration: Configuration) -> Iterator[_Asked]:
    """Every filter that decides over event 3 with its number, in the order of the numbers."""
    ordered = (filter_ for element in configuration.evaluation_order for filter_ in element.filters)
    return ((filter_, number) for number, filter_ in enumerate(ordered))


def fulfils(hits: Hits, filter_: Filter, number: int) -> bool:
    """Whether an event with these hits fulfils a filter."""
    return (number in hits) != (filter_.condition in OPPOSITES)


def decider(configuration: Configuration) -> Decide:
    """What decides over an event all of whose fields have a text, where no name is left behind (`evaluate.decide`)."""
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


class _Filters:
    """Filters by their numbers: those that a hit fulfils, and those that it does not."""

    def __init__(self, asked: Iterable[_Asked]) -> None:
        positive: list[int] = []
        negative: list[int] = []
        for filter_, number in asked:
            (negative if filter_.condition in OPPOSITES else positive).append(number)
        self._positive = frozenset(positive) if positive else NO_HITS
        self._negative = frozenset(negative) if negative else NO_HITS
        self._in_order = sorted(negative)

    def any(self, hits: Hits) -> bool:
        return not self._positive.isdisjoint(hits) or not self._negative <= hits

    def all(self, hits: Hits) -> bool:
        return self._positive <= hits and self._negative.isdisjoint(hits)

    def first(self, hits: Hits) -> int | None:
        """The lowest number of those that are fulfilled."""
        unhit = (number for number in self._in_order if number not in hits)
        return min((*(self._positive & hits), *islice(unhit, 1)), default=None)


class _Operand:
    """A filter, or a Rule, with its filters and their numbers, which it takes from `asked`."""

    def __init__(self, operand: Operand, asked: Iterator[_Asked]) -> None:
        self.filters = list(islice(asked, len(operand.filters) if isinstance(operand, Rule) else 1))
        self.field = None if isinstance(operand, Rule) else operand.field
        self.needs_all = isinstance(operand, Rule) and operand.relation == "and"
        self._tests = _Filters(self.filters)

    @property
    def first(self) -> int:
        """Where it stands: the number of its first filter."""
        return self.filters[0][1]

    def matches(self, hits: Hits) -> bool:
        return self._tests.all(hits) if self.needs_all else self._tests.any(hits)

    def name(self, hits: Hits) -> str:
        """What it gives when it matches; empty without one."""
        if self.needs_all:
            return next((filter_.name for filter_, _ in reversed(self.filters) if filter_.name), "")
        return next(filter_.name for filter_, number in self.filters if fulfils(hits, filter_, number))


def _any(operands: Sequence[_Operand]) -> Decide:
    """The name that an OR element gives, None where it does not match: its first operand that matches decides."""
    together = [operand for operand in operands if operand.needs_all]
    single = [one for operand in operands if not operand.needs_all for one in operand.filters]
    names = {number: filter_.name or NO_NAME for filter_, number in single}
    alone = _Filters(single)

    def name_of(hits: Hits) -> str | None:
        first = alone.first(hits)
        for operand in together:
            if first is not None and operand.first > first:
                break
            if operand.matches(hits):
                return operand.name(hits) or NO_NAME
        return None if first is None else names[first]

    return name_of


def _all(operands: Sequence[_Operand]) -> Decide:
    """The same of an AND element, in which filters of one field are alternatives."""
    rules = [operand for operand in operands if operand.field is None]
    fields: dict[str, list[_Asked]] = {}
    for operand in operands:
        if operand.field is not None:
            fields.setdefault(operand.field, []).extend(operand.filters)
    alternatives = [_Filters(asked) for asked in fields.values()]

    def name_of(hits: Hits) -> str | None:
        if not operands or not all(rule.matches(hits) for rule in rules):
            return None
        return _name_of_all(operands, hits) if all(one.any(hits) for one in alternatives) else None

    return name_of


def _name_of_all(operands: Sequence[_Operand], hits: Hits) -> str:
    """The last name of a filter that was asked and has matched: of each field only the first that matches is."""
    name = ""
    matched: set[str] = set()
    for operand in operands:
        if operand.field is None:
            name = operand.name(hits) or name
        elif operand.field not in matched and operand.matches(hits):
            matched.add(operand.field)
            name = operand.name(hits) or name
    return name or NO_NAME
