"""Rules over a stream of batches."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from procwire.sigma.correlated import Correlated
from procwire.sigma.hits import NO_HITS, SCHEMA, hits_of
from procwire.sigma.matcher import Found, Matcher
from procwire.sigma.rule import Rule

__all__ = ["Stream"]


class Stream:
    """Matches of rules in batch after batch, and of correlations over them.

    live: correlations are told of when they begin to hold, not when they no longer do.
    """

    def __init__(self, rules: Sequence[Rule], *, live: bool = True) -> None:
        own = [rule for rule in rules if rule.tree is not None]
        correlations = [rule for rule in rules if rule.correlation is not None]
        self._reported = len(own)
        for rule in correlations:
            own += [member for member in _members(rule) if not any(member is known for known in own)]
        places = {id(rule): place for place, rule in enumerate(own)}
        self._rules = own
        self._matcher = Matcher(own)
        self._correlated = [
            Correlated(rule, [places[id(member)] for member in _members(rule)], live=live) for rule in correlations
        ]

    def matches(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The matches, of `hits.SCHEMA`."""
        rows, found = self._matcher.find(batch)
        batches = [hits_of(batch, rows, [self._told(one) for one in found], self._rules)]
        batches += [correlated.add(batch, rows, found) for correlated in self._correlated]
        return _joined(batches)

    def finish(self) -> pa.RecordBatch:
        """The correlations that still hold at the end, where they are told of then."""
        return _joined([correlated.finish() for correlated in self._correlated])

    def _told(self, found: Sequence[Found]) -> list[Found]:
        return [one for one in found if one.rule < self._reported]


def _members(rule: Rule) -> tuple[Rule, ...]:
    return rule.correlation.rules if rule.correlation is not None else ()


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    filled = [batch for batch in batches if batch.num_rows]
    if len(filled) > 1:
        return pa.Table.from_batches(filled, SCHEMA).combine_chunks().to_batches()[0]
    return filled[0] if filled else NO_HITS
