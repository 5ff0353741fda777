"""Stand-in until enrich/ is merged."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pyarrow as pa

from procwire.event import LIVE_SCHEMA

__all__ = ["Envelope"]


class Envelope:
    def __init__(self, computer_name: str, next_record_id: int) -> None:
        self.next_record_id = next_record_id
        self._shared = {
            "computer_name": computer_name,
            "provider_name": "Linux-Sysmon",
            "provider_guid": "{FF032593-A8D3-4F13-B0D6-01FC615A0F97}",
            "channel": "Linux-Sysmon/Operational",
            "event_version": 5,
            "event_level": 4,
            "event_task": 3,
            "event_opcode": 0,
            "event_keywords": "0x8000000000000000",
            "logger_process_id": os.getpid(),
            "logger_thread_id": os.getpid(),
            "logger_user_sid": "0",
        }

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        n = batch.num_rows
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, value in self._shared.items():
            columns[name] = pa.repeat(pa.scalar(value, LIVE_SCHEMA.field(name).type), n)
        columns["event_recorded_time"] = pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), n)
        columns["record_id"] = pa.array(range(self.next_record_id, self.next_record_id + n), pa.int64())
        self.next_record_id += n
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=LIVE_SCHEMA)
