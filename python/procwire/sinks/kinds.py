"""What the rows of a recording tell: which of them are Sysmon's events, and where losses stand among them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["KIND", "events", "loss_runs"]

KIND = "record_kind"
_LOSS = "loss"
_EVENTS = pa.array(["connection", _LOSS])


def events(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows that Sysmon has an event for: connections (3) and losses (255, its Error)."""
    kinds = batch.column(KIND)
    is_event = pc.is_in(kinds, value_set=_EVENTS)
    return batch if pc.all(is_event).as_py() else batch.filter(is_event)


def loss_runs(batch: pa.RecordBatch) -> Iterator[tuple[bool, pa.RecordBatch]]:
    """The rows in order, cut where losses begin and end; and whether they are losses."""
    if KIND not in batch.schema.names:
        yield False, batch
        return
    losses = pc.indices_nonzero(pc.equal(batch.column(KIND), _LOSS)).to_pylist()
    start = 0
    for loss in losses:
        if loss > start:
            yield False, batch.slice(start, loss - start)
        yield True, batch.slice(loss, 1)
        start = loss + 1
    if start < batch.num_rows:
        yield False, batch.slice(start)
