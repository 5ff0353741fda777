"""Run Sigma rules over a stream of batches."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from procwire.sigma.matching.correlation_stream import CorrelationStream
from procwire.sigma.matching.hits import NO_HITS, SCHEMA, hits_of
from procwire.sigma.matching.matcher import Found, Matcher
from procwire.sigma.model.rule import Rule, RuleSet

__all__ = ["SigmaStream"]


class SigmaStream:
    """Run a set of rules over a sequence of batches, and keep the state of correlations.

    live: report correlations when they begin to hold; otherwise when they no longer hold, with all their events. Not
    safe for use by several threads.
    """

    def __init__(self, ruleset: RuleSet, *, live: bool = True) -> None:
        rules = ruleset.rules
        own = [rule for rule in rules if rule.tree is not None]
        correlations = [rule for rule in rules if rule.correlation is not None]
        self._reported = len(own)
        for rule in correlations:
            own += [member for member in _members(rule) if not any(member is known for known in own)]
        places = {id(rule): place for place, rule in enumerate(own)}
        self._rules = own
        self._matcher = Matcher(own)
        self._correlations = [
            CorrelationStream(rule, [places[id(member)] for member in _members(rule)], live=live)
            for rule in correlations
        ]

    def matches(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the matches in a batch of events, of `hits.SCHEMA`: a row for each event and rule.

        batch: of `event.LIVE_SCHEMA`; columns may be missing, and there may be others.
        """
        rows, found = self._matcher.find(batch)
        batches = [hits_of(batch, rows, [self._shown(one) for one in found], self._rules)]
        batches += [correlation.add(batch, rows, found) for correlation in self._correlations]
        return _joined(batches)

    def finish(self) -> pa.RecordBatch:
        """Return the correlations that still hold when a log ends; an empty batch if live."""
        return _joined([correlation.finish() for correlation in self._correlations])

    def _shown(self, found: Sequence[Found]) -> list[Found]:
        return [one for one in found if one.rule < self._reported]


def _members(rule: Rule) -> tuple[Rule, ...]:
    return rule.correlation.rules if rule.correlation is not None else ()


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    filled = [batch for batch in batches if batch.num_rows]
    if len(filled) > 1:
        return pa.Table.from_batches(filled, SCHEMA).combine_chunks().to_batches()[0]
    return filled[0] if filled else NO_HITS
