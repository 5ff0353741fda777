"""Fill the System part of each event: who logged it, when, and under which number."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from procwire.event import field

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CONNECTION", "ERROR", "Envelope", "logger"]

CONNECTION: Mapping[str, str | int] = {
    "provider_name": "Linux-Sysmon",
    "provider_guid": "{FF032593-A8D3-4F13-B0D6-01FC615A0F97}",
    "event_version": 5,
    "event_level": 4,
    "event_task": 3,
    "event_opcode": 0,
    "event_keywords": "0x8000000000000000",
    "channel": "Linux-Sysmon/Operational",
}
_CONNECTION_ID, _ERROR_ID = 3, 255
# As in Sysmon's manifest: its error report, which reports losses.
ERROR: Mapping[str, str | int] = {"event_version": 3, "event_level": 2, "event_task": 255}
_TIME = field("event_recorded_time")
_KEPT_ROWS = 1_024


class Envelope:
    """Fill System's columns as Sysmon for Linux does, and number the rows from `next_record_id` on.

    event_id stays where a row has one. The account is that of the first batch: by then the recorder has changed its
    user.
    """

    def __init__(self, computer_name: str, next_record_id: int) -> None:
        self.next_record_id = next_record_id
        """What the next row will be numbered."""
        self._computer_name = computer_name
        self._constants: dict[str, pa.Array] = {}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with System's columns filled."""
        import pyarrow as pa

        from procwire.enrich.columns import replaced

        rows = batch.num_rows
        for name, values in self._constant_columns(rows).items():
            batch = replaced(batch, name, values.slice(0, rows))
        batch = _events(batch)
        batch = replaced(
            batch,
            "event_recorded_time",
            pa.repeat(pa.scalar(time.time_ns() // 1_000, _TIME.type), rows),
        )
        record_ids = pa.arange(self.next_record_id, self.next_record_id + rows)
        self.next_record_id += rows
        return replaced(batch, "record_id", record_ids)

    def _constant_columns(self, rows: int) -> dict[str, pa.Array]:
        """Return columns of one value each, with at least as many rows."""
        import pyarrow as pa

        from procwire.event import LIVE_SCHEMA

        if not self._constants or rows > len(self._constants["channel"]):
            count = max(rows, _KEPT_ROWS)
            self._constants = {
                name: pa.repeat(pa.scalar(value, LIVE_SCHEMA.field(name).type), count)
                for name, value in {**CONNECTION, **logger(self._computer_name)}.items()
            }
        return self._constants


def logger(computer_name: str) -> dict[str, str | int]:
    """Return System's columns about the logger: this thread, under its current account."""
    return {
        "computer_name": computer_name,
        "logger_process_id": os.getpid(),
        "logger_thread_id": threading.get_native_id(),
        "logger_user_sid": str(os.geteuid()),
    }


def _events(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.compute as pc

    from procwire.enrich.columns import column, replaced

    events = column(batch, "event_id")
    if events.null_count:
        events = pc.fill_null(events, pa.scalar(_CONNECTION_ID, pa.int32()))
        batch = replaced(batch, "event_id", events)
    # Only rows that report a loss have this column, so that the common batch needs no check of each row.
    losses = column(batch, "events_lost")
    if losses.null_count == len(losses):
        return batch
    is_error = pc.equal(events, _ERROR_ID)
    for name, value in ERROR.items():
        values = pc.if_else(is_error, pa.scalar(value, pa.int32()), column(batch, name))
        batch = replaced(batch, name, values)
    return batch
