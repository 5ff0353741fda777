"""The loop of a recording: source, enrichment, rules, predicate, envelope, outputs.

It asks the source for more only when the outputs have taken what there was. One that does not take (a stopped pipe)
so holds up the loop, not the machine: the kernel's buffer fills, and what finds no place there is counted as lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA
from procwire.recorder.ledger import RecordingLedger
from procwire.recorder.predicates import Predicate
from procwire.sources.live import LiveSource

__all__ = ["Recorder", "RecordingSink", "Step"]

Step = Callable[[pa.RecordBatch], pa.RecordBatch]

_STEP_S = 0.1
_LOSSES_S = 0.5
_STATUS_S = 2.0
# What the kernel holds at the end is taken too, but not what it goes on to get for ever.
_DRAIN_S = 1.0
_ERROR_EVENT_ID = 255


class RecordingSink(Protocol):
    """Takes batches of `event.LIVE_SCHEMA` as long as the recording lasts."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, and let it be seen at once."""
        ...

    def tick(self) -> None:
        """What is due after a time, rather than after a batch."""
        ...

    def take_losses(self) -> int:
        """How many rows were lost here since the last call; 0 while none could be told."""
        ...


class Recorder:
    """Records from `source` to `outputs`; the account is kept in `ledger`, and shown to `on_status` now and then.

    enrich: in order, before the rules. rules: what a configuration logs, before the predicate. envelope: gives the
    record ids and all else that makes an event of a row. written: told of each batch that all outputs have.
    between_batches: called there, to change any of these.
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
        self._source = source
        self._outputs = outputs
        self._enrich = enrich
        self._rules = rules
        self._predicate = predicate
        self._envelope = envelope
        self._ledger = ledger
        self._on_status = on_status
        self._written = written
        self._between_batches = between_batches
        self._losses_due_s = self._status_due_s = 0.0

    def run(self, stop: Callable[[], bool], *, duration_s: float | None = None, count: int | None = None) -> None:
        """Record until `stop` says so, `duration_s` is over or `count` rows are written.

        Raises OSError where an output cannot be written.
        """
        end_s = float("inf") if duration_s is None else time.monotonic() + duration_s
        left = self._turn(0.0, count)
        while left != 0 and not stop() and (wait_s := end_s - time.monotonic()) > 0:
            left = self._turn(min(wait_s, _STEP_S), left)
        self._drain(left)
        self._tell_losses()
        self._on_status(self._ledger)

    def _turn(self, timeout_s: float, left: int | None) -> int | None:
        """One step; how many rows are still wanted."""
        self._between_batches()
        batch = self._source.step(timeout_s)
        if batch is not None:
            left = self._take(batch, left)
        for output in self._outputs:
            output.tick()
        now_s = time.monotonic()
        if now_s >= self._losses_due_s:
            self._losses_due_s = now_s + _LOSSES_S
            self._tell_losses()
        if now_s >= self._status_due_s:
            self._status_due_s = now_s + _STATUS_S
            self._on_status(self._ledger)
        return left

    def _drain(self, left: int | None) -> None:
        end_s = time.monotonic() + _DRAIN_S
        while left != 0 and time.monotonic() < end_s and (batch := self._source.step(0.0)) is not None:
            left = self._take(batch, left)

    def _take(self, batch: pa.RecordBatch, left: int | None) -> int | None:
        self._count(batch)
        for step in self._enrich:
            batch = step(batch)
        ruled = batch if self._rules is None else self._rules(batch)
        kept = self._predicate(ruled) if self._predicate and ruled.num_rows else ruled
        self._ledger.undecided = getattr(self._predicate, "undecided", 0)
        if left is not None:
            kept = kept.slice(0, left)
            left -= kept.num_rows
        self._ledger.filtered_by_rules += batch.num_rows - ruled.num_rows
        self._ledger.filtered += batch.num_rows - kept.num_rows
        self._write(kept)
        return left

    def _count(self, batch: pa.RecordBatch) -> None:
        for entry in pc.value_counts(batch.column("record_kind")).to_pylist():
            self._ledger.captured[entry["values"]] += entry["counts"]

    def _write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            numbered = self._envelope(batch)
            for output in self._outputs:
                output.write(numbered)
            self._written(numbered)

    def _tell_losses(self) -> None:
        self._ledger.warnings = dict(self._source.warnings())
        lost = self._ledger.add_losses(self._source.losses())
        if lost:
            self._write(_loss(lost))
        for attribution, count in self._ledger.add_unattributed(self._source.unattributed()).items():
            self._write(_loss(count, attribution))
        for output in self._outputs:
            lost = output.take_losses()
            if lost:
                output.write(self._envelope(_loss(lost)))


def _loss(events_lost: int, attribution: str | None = None) -> pa.RecordBatch:
    row = {
        "event_creation_time": datetime.now(UTC),
        "event_id": _ERROR_EVENT_ID,
        "record_kind": "loss",
        "events_lost": events_lost,
        "attribution": attribution,
    }
    return pa.RecordBatch.from_pylist([row], schema=LIVE_SCHEMA)
