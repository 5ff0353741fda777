"""Rules over a stream of batches."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from procwire.sigma.hits import hits_of
from procwire.sigma.matcher import Matcher
from procwire.sigma.rule import Rule

__all__ = ["Stream"]


class Stream:
    """Matches of rules in batch after batch."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if rule.tree is not None]
        self._matcher = Matcher(self._rules)

    def matches(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The matches, of `hits.SCHEMA`."""
        rows, found = self._matcher.find(batch)
        return hits_of(batch, rows, found, self._rules)
