"""Record by batches: source, enrichment, rules, predicate, envelope, outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA
from procwire.recorder.ledger import RecordingLedger
from procwire.recorder.predicates import Predicate
from procwire.recorder.turns import ERROR_EVENT_ID, Tended, Turns
from procwire.sources.live import LiveSource

__all__ = ["Recorder", "RecordingSink", "Step"]

Step = Callable[[pa.RecordBatch], pa.RecordBatch]


class RecordingSink(Tended, Protocol):
    """Accept batches of `event.LIVE_SCHEMA` as long as the recording lasts."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, and flush it."""
        ...


class Recorder(Turns[RecordingSink]):
    """Record from `source` to `outputs`; count in `ledger`, and pass it to `on_status` at intervals.

    enrich: steps in order, before the rules. rules: keep what a configuration logs, before the predicate. envelope:
    adds the record ids and the other columns of `System`. written: called with each batch that all outputs have
    written. between_batches: called between batches, to change any of these.
    """

    def __init__(
        self,
        source: LiveSource,
        outputs: Sequence[RecordingSink],
        *,
        enrich: Sequence[Step],
        rules: Step | None = None,
        predicate: Predicate | None = None,
        envelope: Step,
        ledger: RecordingLedger,
        on_status: Callable[[RecordingLedger], None],
        written: Callable[[pa.RecordBatch], None] = lambda _: None,
        between_batches: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(source, outputs, ledger=ledger, on_status=on_status, between_batches=between_batches)
        self._source = source
        self._enrich = enrich
        self._rules = rules
        self._predicate = predicate
        self._envelope = envelope
        self._written = written

    def _step(self, timeout_s: float, left: int | None) -> int | None:
        batch = self._source.step(timeout_s)
        if batch is None:
            return None
        self._count(batch)
        for step in self._enrich:
            batch = step(batch)
        ruled = batch if self._rules is None else self._rules(batch)
        kept = self._predicate(ruled) if self._predicate and ruled.num_rows else ruled
        self._ledger.undecided = getattr(self._predicate, "undecided", 0)
        if left is not None:
            kept = kept.slice(0, left)
        self._ledger.filtered_by_rules += batch.num_rows - ruled.num_rows
        self._ledger.filtered += batch.num_rows - kept.num_rows
        self._write(kept)
        return int(kept.num_rows)

    def _count(self, batch: pa.RecordBatch) -> None:
        for entry in pc.value_counts(batch.column("record_kind")).to_pylist():
            self._ledger.captured[entry["values"]] += entry["counts"]

    def _write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            numbered = self._envelope(batch)
            for output in self._outputs:
                output.write(numbered)
            self._written(numbered)

    def _tell(self, events_lost: int, attribution: str | None = None) -> None:
        self._write(_loss(events_lost, attribution))

    def _tell_in(self, output: RecordingSink, events_lost: int) -> None:
        output.write(self._envelope(_loss(events_lost)))


def _loss(events_lost: int, attribution: str | None = None) -> pa.RecordBatch:
    row = {
        "event_creation_time": datetime.now(UTC),
        "event_id": ERROR_EVENT_ID,
        "record_kind": "loss",
        "events_lost": events_lost,
        "attribution": attribution,
    }
    return pa.RecordBatch.from_pylist([row], schema=LIVE_SCHEMA)
