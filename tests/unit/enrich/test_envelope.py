"""The envelope, as Sysmon for Linux writes it."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from enrich_rows import batch, column

from procwire.enrich import Envelope
from procwire.event import LIVE_SCHEMA, fields

CONNECTION = {"event_id": 3, "record_kind": "connection"}
LOSS = {"event_id": 255, "record_kind": "loss", "events_lost": 7}


def test_a_connection_has_what_sysmon_for_linux_writes() -> None:
    """Every column of System, by the values of its own log (facts, and tests/data/linux)."""
    before = datetime.now(UTC)
    [row] = Envelope("host7", 62_099)(batch(CONNECTION)).to_pylist()
    system = {field.name: row[field.name] for field in fields("system")}
    recorded = system.pop("event_recorded_time")
    assert before - timedelta(milliseconds=1) <= recorded <= datetime.now(UTC)
    assert system == {
        "record_id": 62_099,
        "computer_name": "host7",
        "provider_name": "Linux-Sysmon",
        "provider_guid": "{FF032593-A8D3-4F13-B0D6-01FC615A0F97}",
        "channel": "Linux-Sysmon/Operational",
        "event_id": 3,
        "event_version": 5,
        "event_level": 4,
        "event_task": 3,
        "event_opcode": 0,
        "event_keywords": "0x8000000000000000",
        "logger_process_id": os.getpid(),
        "logger_thread_id": threading.get_native_id(),
        "logger_user_sid": str(os.geteuid()),
    }


def test_a_loss_is_an_error_report() -> None:
    """Sysmon's manifest: event 255, version 3, level Error; among connections as alone."""
    named = Envelope("host7", 1)(batch(CONNECTION, LOSS, {"event_id": None}))
    assert column(named, "event_id") == [3, 255, 3]
    assert column(named, "event_version") == [5, 3, 5]
    assert column(named, "event_level") == [4, 2, 4]
    assert column(named, "event_task") == [3, 255, 3]


def test_records_are_numbered_on() -> None:
    envelope = Envelope("host7", 10)
    assert column(envelope(batch(CONNECTION, CONNECTION)), "record_id") == [10, 11]
    assert column(envelope(batch()), "record_id") == []
    assert column(envelope(batch(CONNECTION)), "record_id") == [12]
    assert envelope.next_record_id == 13


@pytest.mark.parametrize("rows", [0, 1, 1_024, 1_025, 5_000])
def test_batches_of_any_size_keep_their_schema(rows: int) -> None:
    """Constant columns are stored for 1,024 rows, and remade beyond."""
    envelope = Envelope("host7", 1)
    for count in (1, rows, 1):
        named = envelope(batch(*[CONNECTION] * count))
        assert named.schema == LIVE_SCHEMA
        named.validate(full=True)
        assert column(named, "computer_name") == ["host7"] * count
