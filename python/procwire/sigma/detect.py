"""Rules over all that a lake, or logs, hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.sigma.hits import SCHEMA
from procwire.sigma.rule import Level, RuleSet

if TYPE_CHECKING:
    from procwire.lake.engines import Connection

__all__ = ["detect"]


def detect(connection: Connection, ruleset: RuleSet, *, minimum_level: Level | None = None) -> pa.RecordBatchReader:
    """The matches of rules with what a connection has (`procwire.connect`, or Spark's), of `SCHEMA`: a row for each
    event and rule, in no order.

    minimum_level: leaves out rules below it.
    """
    wanted = ruleset.at_least(minimum_level) if minimum_level else ruleset

    def found() -> Iterator[pa.RecordBatch]:
        for batch in connection.sql("SELECT * FROM connections").to_arrow_reader():
            hits = wanted.matches(batch)
            if hits.num_rows:
                yield hits

    return pa.RecordBatchReader.from_batches(SCHEMA, found())
