"""Determine which of Sysmon's events a rule is about, by the tests of the event's number in its tree."""

from __future__ import annotations

from procwire.sigma.matching.column_tests import ColumnTests
from procwire.sigma.model.tree import All, Any, Leaf, Node, Not

__all__ = ["can_match", "with_event"]

_NUMBER = "event_id"


def can_match(node: Node, number: int | None) -> bool:
    """Return whether a tree may match an event of this number; None: of any number."""
    return True in _outcomes(node, number)


def with_event(node: Node, number: int) -> Node:
    """Return the tree for events of this number only: without the tests of it."""
    match node:
        case Leaf():
            if node.column != _NUMBER or len(node.columns) > 1:
                return node
            return All(()) if _holds(node, number) else Any(())
        case Not(operand):
            return Not(with_event(operand, number))
        case All(operands):
            return _put_together(All, [with_event(operand, number) for operand in operands])
        case Any(operands):
            return _put_together(Any, [with_event(operand, number) for operand in operands])


def _put_together(kind: type[All] | type[Any], operands: list[Node]) -> Node:
    """Return the operands as one, without those that are always, or never, true: their kind's neutral ones."""
    neutral, decisive = (All(()), Any(())) if kind is All else (Any(()), All(()))
    if decisive in operands:
        return decisive
    left = tuple(one for one in operands if one != neutral)
    return left[0] if len(left) == 1 else kind(left)


def _outcomes(node: Node, number: int | None) -> frozenset[bool]:
    """Return what the node may be."""
    match node:
        case Leaf():
            if number is None or node.column != _NUMBER or len(node.columns) > 1:
                return frozenset((True, False))
            return frozenset((_holds(node, number),))
        case Not(operand):
            return frozenset(not outcome for outcome in _outcomes(operand, number))
        case All(operands) | Any(operands):
            decisive = isinstance(node, Any)
            each = [_outcomes(operand, number) for operand in operands]
            found = {decisive} if any(decisive in one for one in each) else set()
            if all((not decisive) in one for one in each):
                found.add(not decisive)
            return frozenset(found)


def _holds(leaf: Leaf, number: int) -> bool:
    return bool(ColumnTests(leaf.column, [(leaf.test, 1)])(number))
