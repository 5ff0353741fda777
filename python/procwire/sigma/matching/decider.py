"""Decide from the tests that an event fulfils whether a rule's tree matches, and which of them made it match.

Tests are numbered; an event's result is the set of fulfilled numbers, which is small even if there are many tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from procwire.matching.deciders import Decide, all_of, any_of
from procwire.matching.hits import Hits
from procwire.sigma.model.tree import All, Any, Leaf, Node, Not, Test

__all__ = ["Key", "Numbers", "decider", "explainer"]

Key = tuple[tuple[str, ...], Test]
"""A test, and the column, or columns, that it reads."""
Numbers = Mapping[Key, int]
Explain = Callable[[Hits], list[Leaf]]


def decider(node: Node, numbers: Numbers) -> Decide:
    """Return a function that decides whether the tree matches, from the numbers of fulfilled tests."""
    match node:
        case Leaf():
            return all_of([numbers[node.columns, node.test]])
        case Not(Leaf() as leaf):
            return all_of((), [numbers[leaf.columns, leaf.test]])
        case Not(operand):
            decide = decider(operand, numbers)
            return lambda hits: not decide(hits)
        case All(operands):
            return all_of(*_split(operands, numbers))
        case Any(operands):
            return any_of(*_split(operands, numbers))


def _split(operands: tuple[Node, ...], numbers: Numbers) -> tuple[list[int], list[int], list[Decide]]:
    """Return the numbers of test operands and of negated tests, and deciders for the other operands."""
    positive: list[int] = []
    negative: list[int] = []
    others: list[Decide] = []
    for operand in operands:
        match operand:
            case Leaf():
                positive.append(numbers[operand.columns, operand.test])
            case Not(Leaf() as leaf):
                negative.append(numbers[leaf.columns, leaf.test])
            case _:
                others.append(decider(operand, numbers))
    return positive, negative, others


def explainer(node: Node, numbers: Numbers) -> Explain:
    """Return a function that maps the tests that an event fulfils to those that made the tree match.

    These are the fulfilled tests in the parts that match, except those under a `not`.
    """
    explain = _explainer(node, numbers)
    return lambda hits: explain(hits, True)


def _explainer(node: Node, numbers: Numbers) -> Callable[[Hits, bool], list[Leaf]]:
    """Return the explainer of a part of a tree.

    Its second argument is whether the part must match: False under an odd number of `not`.
    """
    match node:
        case Leaf():
            return lambda _, wanted: [node] if wanted else []
        case Not(operand):
            explain = _explainer(operand, numbers)
            return lambda hits, wanted: explain(hits, not wanted)
        case All(operands) | Any(operands):
            return _Operands(operands, numbers)


class _Operands:
    """Hold the reasons of several operands.

    Tests are looked up from the hits, because there may be many tests but few hits.
    """

    def __init__(self, operands: tuple[Node, ...], numbers: Numbers) -> None:
        self._leaves: dict[int, list[tuple[int, Leaf]]] = {}
        for place, one in enumerate(operands):
            if isinstance(one, Leaf):
                self._leaves.setdefault(numbers[one.columns, one.test], []).append((place, one))
        self._others = [
            (place, decider(one, numbers), _explainer(one, numbers))
            for place, one in enumerate(operands)
            if not isinstance(one, Leaf)
        ]

    def __call__(self, hits: Hits, wanted: bool) -> list[Leaf]:
        found = [(place, [leaf]) for number in hits if wanted for place, leaf in self._leaves.get(number, ())]
        found += [(place, explain(hits, wanted)) for place, decide, explain in self._others if decide(hits) == wanted]
        found.sort(key=itemgetter(0))
        return [leaf for _, leaves in found for leaf in leaves]
