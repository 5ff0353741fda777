"""A lake whose writers are killed again and again: nothing that was acknowledged is lost, and nothing is doubled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.event import PROCESS_CREATION_SCHEMA, SCHEMA
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake, verify_tables
from procwire.ledger import Ledger
from procwire.sinks import open_sink

KILLS = 40
MANY_KILLS = 200
LOGS, LOG_ROWS = 12, 60
# Of two events in the one log and the next, so that a third of all are in two.
STEP = 40


@pytest.mark.parametrize("kills", [KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.long)])
def test_killed_writers_lose_nothing_acknowledged_and_double_nothing(
    tmp_path: Path, batch_of: BatchOf, kills: int
) -> None:
    """A recorder, a reader of overlapping logs, compaction and all other writers work at once, and are killed at random
    moments; queries go on beside them."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(LOGS):
        _log(folder / f"{number:02}.xml", SCHEMA, batch_of, number)
        _log(folder / f"{number:02}-processes.xml", PROCESS_CREATION_SCHEMA, batch_of, number)
    location = tmp_path / "lake"
    rounds = [sys.executable, str(Path(__file__).with_name("rounds.py")), str(location), str(folder), str(kills), "1"]
    done = subprocess.run(rounds, capture_output=True, text=True, check=True, timeout=290 if kills == KILLS else 3000)
    reported = json.loads(done.stdout)
    assert (reported["kills"] >= kills, reported["failures"], done.stderr) == (True, 0, "")

    lake = Lake.open(location)
    before = _counts(lake)
    Ingest(lake).run([folder], ledger=Ledger())
    after = _counts(lake)
    recorded = {number for computer, number in after if computer == "recorder"}
    # What was acknowledged is there; and, each append being whole, nothing but the appends up to the last.
    assert len(reported["acknowledged"]) > 5
    assert recorded >= {3 * number + row for number in reported["acknowledged"] for row in range(3)}
    assert recorded == set(range(len(recorded)))
    assert len(recorded) % 3 == 0
    read = {number for computer, number in after if computer != "recorder"}
    assert read == set(range((LOGS - 1) * STEP + LOG_ROWS))
    assert set(before.values()) == set(after.values()) == {1}
    assert [found.faults for _, found in verify_tables(str(location))] == [[], [], []]
    created = lake.beside("process_creations")
    assert created is not None
    assert set(_counts(created).values()) == {1}
    assert {number for _, number in _counts(created)} == read
    assert any(computer != "recorder" for computer, _ in before)


def _log(path: Path, schema: pa.Schema, batch_of: BatchOf, number: int) -> None:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    records = range(number * STEP, number * STEP + LOG_ROWS)
    rows = [{"record_id": record, "event_recorded_time": start + timedelta(seconds=record)} for record in records]
    batch = batch_of(*rows)
    if schema is not SCHEMA:
        kept = pa.Table.from_batches([batch]).drop_columns("event_id").to_pylist()
        batch = pa.RecordBatch.from_pylist(kept, schema=schema)
    with path.open("wb") as file:
        sink = open_sink("xml", file, schema)
        sink.write(batch)
        sink.close()


def _counts(lake: Lake) -> Counter[tuple[str, int]]:
    rows = pa.Table.from_batches(lake.batches())
    return Counter(zip(rows["computer_name"].to_pylist(), rows["record_id"].to_pylist(), strict=True))
