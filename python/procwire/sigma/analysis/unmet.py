"""Explain why a Sigma rule does not match an event: the tests that it does not meet, or those that exclude it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from procwire.sigma.matching.matcher import Matcher
from procwire.sigma.model.tree import All, Any, Leaf, Node, Not
from procwire.sigma.sql import to_sql

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.sigma.model.rule import Rule

__all__ = ["unmet"]

_MOST = 3


def unmet(rules: Sequence[Rule], batch: pa.RecordBatch) -> str:
    """Return what prevents the first of the rules from matching an event, in SQL; empty for several events."""
    tree = rules[0].tree
    if tree is None or batch.num_rows != 1:
        return ""
    parts = list(dict.fromkeys(_missing(tree, lambda node: _holds(node, rules[0], batch), True)))
    more = f" (and {len(parts) - _MOST} more)" if len(parts) > _MOST else ""
    return ", ".join(parts[:_MOST]) + more


def _missing(node: Node, holds: Callable[[Node], bool], wanted: bool) -> Iterator[str]:
    """Yield the tests that would need the opposite result."""
    if holds(node) == wanted:
        return
    match node:
        case Leaf():
            yield f"{'not met' if wanted else 'excluded by'} {to_sql(node)}"
        case Not(operand):
            yield from _missing(operand, holds, not wanted)
        case All(operands) | Any(operands):
            for operand in operands:
                yield from _missing(operand, holds, wanted)


def _holds(node: Node, rule: Rule, batch: pa.RecordBatch) -> bool:
    from dataclasses import replace

    rows, _ = Matcher([replace(rule, tree=node)]).find(batch)
    return bool(rows)
