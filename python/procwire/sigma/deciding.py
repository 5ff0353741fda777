"""What a rule's tree says to the bits of the tests that an event fulfils, and which of them made it match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from operator import or_

from procwire.sigma.tree import All, Any, Leaf, Node, Not, Test

__all__ = ["Bits", "decider", "reasons"]

Key = tuple[tuple[str, ...], Test]
Bits = Mapping[Key, int]
"""The bit of each test of each column, or columns."""
Decide = Callable[[int], bool]


def decider(node: Node, bits: Bits) -> Decide:
    """From the bits that an event fulfils to whether the tree matches."""
    match node:
        case Leaf():
            bit = bits[node.columns, node.test]
            return lambda answers: answers & bit != 0
        case Not(operand):
            test = decider(operand, bits)
            return lambda answers: not test(answers)
        case All(operands):
            mask, others = _split(operands, bits)
            return lambda answers: answers & mask == mask and all(test(answers) for test in others)
        case Any(operands):
            mask, others = _split(operands, bits)
            return lambda answers: answers & mask != 0 or any(test(answers) for test in others)


def _split(operands: tuple[Node, ...], bits: Bits) -> tuple[int, list[Decide]]:
    """The bits of the operands that are tests, and what decides over the others."""
    mask = reduce(or_, (bits[one.columns, one.test] for one in operands if isinstance(one, Leaf)), 0)
    return mask, [decider(one, bits) for one in operands if not isinstance(one, Leaf)]


def reasons(node: Node, answers: int, bits: Bits, wanted: bool = True) -> Iterator[Leaf]:
    """The tests that made the tree match: those fulfilled, in the parts of it that are.

    wanted: False for what stands under a `not`.
    """
    match node:
        case Leaf():
            if wanted:
                yield node
        case Not(operand):
            yield from reasons(operand, answers, bits, not wanted)
        case All(operands) | Any(operands):
            for operand in operands:
                if decider(operand, bits)(answers) == wanted:
                    yield from reasons(operand, answers, bits, wanted)
