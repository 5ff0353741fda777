"""Decide whether filters that are put together by and, or and not can all hold: sound, within a budget.

A problem is a list of clauses, of which each must hold; a clause is a list of alternatives, of which one must hold; an
alternative is a list of literals, which must hold together; a literal is a filter that matches, or one that does not.
What always matches is what cannot fail to match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from procwire.sysmon.atoms import Alternatives, Atom
from procwire.sysmon.checks.implication import alternatives, covered_by, never_both
from procwire.sysmon.checks.units import choices
from procwire.sysmon.conditions import OPPOSITES, matches
from procwire.sysmon.model import Element, Filter, Operand

__all__ = ["Clause", "Literal", "failing", "holding", "operand_failing", "refutation"]

_TEXTS = {
    "Protocol": ("tcp", "udp"),
    **dict.fromkeys(("Initiated", "SourceIsIpv6", "DestinationIsIpv6"), ("true", "false")),
}
"""All texts of a field that has few."""
_MOST_ALTERNATIVES = 256
_MOST_PAIRS = 100_000
"""Of literals that a search compares with each other; beyond it nothing is known."""


class Literal(NamedTuple):
    """Hold a filter, and whether it matches."""

    filter: Filter
    holds: bool

    @property
    def positive(self) -> bool:
        """Return whether one of `alternatives` holds; else none of them does."""
        return self.holds != (self.filter.condition in OPPOSITES)

    @property
    def alternatives(self) -> Alternatives:
        """Return what the filter compares, without its negation."""
        return alternatives(self.filter.condition, self.filter.value)


Alternative = tuple[Literal, ...]
Clause = tuple[Alternative, ...]


def holding(element: Element) -> list[Clause] | None:
    """Return the clauses of an element that matches; None for one with too many alternatives."""
    if element.relation == "or":
        return [tuple(_literals(one, True) for operand in element.operands for one in _of_operand(operand))]
    return [tuple(_literals(one, True) for one in choice) for choice in choices(element)]


def failing(element: Element) -> list[Clause] | None:
    """Return the clauses of an element that does not match; None for one with too many alternatives."""
    if element.relation == "or":
        return [clause for operand in element.operands for clause in operand_failing(operand)]
    # One of the choices fails: each of its alternatives has a filter that does not match.
    found: list[Alternative] = []
    for choice in choices(element):
        if prod(map(len, choice)) > _MOST_ALTERNATIVES:
            return None
        found += [_literals(filters, False) for filters in product(*choice)]
    return [tuple(found)]


def operand_failing(operand: Operand) -> Iterator[Clause]:
    """Return the clauses of an operand that does not match."""
    for filters in _of_operand(operand):
        yield tuple((Literal(filter_, False),) for filter_ in filters)


def _of_operand(operand: Operand) -> Iterator[tuple[Filter, ...]]:
    if isinstance(operand, Filter):
        yield (operand,)
    elif operand.relation == "and":
        yield operand.filters
    else:
        yield from ((filter_,) for filter_ in operand.filters)


def _literals(filters: Iterable[Filter], holds: bool) -> Alternative:
    return tuple(Literal(filter_, holds) for filter_ in filters)


def refutation(clauses: Iterable[Clause]) -> tuple[Filter, ...] | None:
    """Return filters for which the clauses cannot all hold, by their places; None if they can, or that is not known."""
    search = _Search()
    if not search.fails(sorted(clauses, key=len)):
        return None
    return tuple(sorted(search.used, key=lambda filter_: filter_.place))


class _Search:
    """Look for literals that hold together, one alternative of each clause, the first that fits first."""

    def __init__(self) -> None:
        self.used: set[Filter] = set()
        self._left = _MOST_PAIRS
        self._by_field: dict[str, list[Literal]] = {}

    def fails(self, clauses: Sequence[Clause]) -> bool:
        """Return whether there are none; False too if the budget is used up."""
        single = [clause[0] for clause in clauses if len(clause) == 1]
        several = [clause for clause in clauses if len(clause) != 1]
        for literals in single:
            for literal in literals:
                self._by_field.setdefault(literal.filter.field, []).append(literal)
        try:
            for field in self._by_field:
                if conflict := self._conflict(field):
                    self.used = {literal.filter for literal in conflict}
                    return True
            return not self._finds(several)
        except _TooLongError:
            return False

    def _conflict(self, field: str) -> tuple[Literal, ...]:
        literals = self._by_field[field]
        self._left -= 1 + sum(one.positive for one in literals) * len(literals)
        if self._left < 0:
            raise _TooLongError
        return _conflict(field, literals)

    def _finds(self, clauses: Sequence[Clause]) -> bool:
        """Put in alternatives, clause by clause, and go back where none is left."""
        ahead: list[Iterator[Alternative]] = []
        taken: list[Alternative] = []
        while len(ahead) < len(clauses) or len(taken) < len(clauses):
            if len(ahead) == len(taken):
                ahead.append(iter(clauses[len(ahead)]))
            alternative = next((one for one in ahead[-1] if self._take(one)), None)
            if alternative is not None:
                taken.append(alternative)
                continue
            ahead.pop()
            if not taken:
                return False
            self._give_back(taken.pop())
        return True

    def _take(self, alternative: Alternative) -> bool:
        for literal in alternative:
            self._by_field.setdefault(literal.filter.field, []).append(literal)
        for field in {literal.filter.field for literal in alternative}:
            if conflict := self._conflict(field):
                self.used |= {literal.filter for literal in conflict}
                self._give_back(alternative)
                return False
        return True

    def _give_back(self, alternative: Alternative) -> None:
        for literal in reversed(alternative):
            self._by_field[literal.filter.field].pop()


class _TooLongError(Exception):
    """Report that the budget is used up."""


def _conflict(field: str, literals: Sequence[Literal]) -> tuple[Literal, ...]:
    """Return literals of a field that no text fulfils together; none if there may be one."""
    if texts := _TEXTS.get(field):
        wrong = [[one for one in literals if not _fulfils(one, text)] for text in texts]
        return tuple(dict.fromkeys(one[0] for one in wrong)) if all(wrong) else ()
    for one in literals:
        if one.positive and (against := _excluding(one, literals)):
            return (one, *against)
    return _empty_interval(literals)


def _fulfils(literal: Literal, text: str) -> bool:
    return matches(literal.filter.condition, literal.filter.value, text) == literal.holds


def _excluding(literal: Literal, others: Sequence[Literal]) -> tuple[Literal, ...]:
    """Return literals that exclude each alternative of a positive one; none if they leave one."""
    found = []
    for atoms in literal.alternatives:
        against = next((other for other in others if other is not literal and _excludes(other, atoms)), None)
        if against is None:
            return ()
        found.append(against)
    return tuple(dict.fromkeys(found))


def _excludes(literal: Literal, atoms: tuple[Atom, ...]) -> bool:
    if literal.positive:
        return all(any(never_both(one, other) for one in atoms for other in wanted) for wanted in literal.alternatives)
    return covered_by((atoms,), literal.alternatives)


def _empty_interval(literals: Sequence[Literal]) -> tuple[Literal, ...]:
    """Return a lower and an upper bound that leave no text between them."""
    lower: list[tuple[str, bool, Literal]] = []
    upper: list[tuple[str, bool, Literal]] = []
    for literal in literals:
        condition, text = literal.filter.condition, literal.alternatives[0][0].text if literal.alternatives else ""
        if condition in ("less than", "more than"):
            side = upper if (condition == "less than") == literal.holds else lower
            # A bound that does not hold is one from the other side, itself included.
            side.append((text, literal.holds, literal))
    for low, low_is_open, one in lower:
        for high, high_is_open, other in upper:
            if low > high or (low == high and (low_is_open or high_is_open)):
                return one, other
    return ()
