"""A lake: appends that are whole and happen once, and what it gives back."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from event_rows import BatchOf
from procwire.errors import LakeError, UsageError
from procwire.event import LIVE_SCHEMA
from procwire.lake.lake import Lake
from procwire.lake.schema import SCHEMA, in_milliseconds
from procwire.query import connect_lake

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def test_append_keeps_every_column_of_a_log(lake: Lake, batch_of: BatchOf) -> None:
    """What a log gave comes back as it was; it is a connection, and what only a recording has is null."""
    batch = batch_of({}, {"event_creation_time": None, "dst_ip": "fe80::1", "record_id": 7})
    assert lake.append([batch], source="a", version=1)
    [*found] = pa.Table.from_batches(lake.batches()).select(batch.schema.names).to_pylist()
    assert sorted(found, key=str) == sorted(batch.to_pylist(), key=str)
    live = pa.Table.from_batches(lake.batches())
    assert live.schema == LIVE_SCHEMA
    assert live["record_kind"].to_pylist() == ["connection"] * 2
    assert live["outcome"].null_count == live["logged"].null_count == 2


def test_append_keeps_the_live_columns(lake: Lake) -> None:
    row = {"event_creation_time": NOON, "record_kind": "close", "sent_bytes": 517, "duration_us": 9}
    lake.append([pa.RecordBatch.from_pylist([row], schema=LIVE_SCHEMA)], source="a", version=1)
    [found] = pa.Table.from_batches(lake.batches()).to_pylist()
    assert {name: found[name] for name in row} == row


@pytest.mark.parametrize("version", [0, 5])
def test_append_under_the_same_number_adds_nothing(lake: Lake, batch_of: BatchOf, version: int) -> None:
    """Also by another process, which opens the lake again; and a number before it."""
    assert lake.append([batch_of({})], source="a", version=version)
    again = Lake.open(lake.location)
    assert not again.append([batch_of({})], source="a", version=version)
    assert not again.append([batch_of({})], source="a", version=version - 1)
    assert again.append([batch_of({})], source="b", version=version)
    assert again.append([batch_of({})], source="a", version=version + 1)
    assert lake.info().events == 3


def test_append_of_no_row_is_no_commit(lake: Lake, batch_of: BatchOf) -> None:
    lake.append([], source="a", version=1)
    lake.append([batch_of()], source="a", version=1)
    assert lake.info().version == 0


def test_day_is_that_of_the_event_and_else_of_the_record(lake: Lake, batch_of: BatchOf) -> None:
    late = datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC)
    batch = batch_of(
        {"event_creation_time": late, "event_recorded_time": NOON},
        {"event_creation_time": None, "event_recorded_time": NOON},
        {"event_creation_time": None, "event_recorded_time": None},
        {"event_creation_time": late, "event_recorded_time": None},
    )
    lake.append([batch], source="a", version=1)
    found = [(file.day, file.rows) for file in lake.snapshot()]
    assert set(found) == {(date(2024, 2, 29), 2), (date(2024, 3, 1), 1), (None, 1)}
    assert lake.verify().faults == []


def test_files_are_those_of_the_range(lake: Lake, batch_of: BatchOf) -> None:
    """Whole days are left out by their folders; `batches` gives the exact range."""
    times = [datetime(2024, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    lake.append([batch_of(*({"event_creation_time": time} for time in times))], source="a", version=1)
    assert len(lake.files()) == 3
    assert all(Path(file).is_file() for file in lake.files())
    assert [file.split("/")[-2] for file in lake.files(times[1])] == ["day=2024-03-02", "day=2024-03-03"]
    assert [file.split("/")[-2] for file in lake.files(times[1], times[1])] == ["day=2024-03-02"]
    found = pa.Table.from_batches(lake.batches(times[0], times[2]))["event_creation_time"].to_pylist()
    assert found == times[:2]


def test_other_readers_of_delta_see_the_same(lake: Lake, batch_of: BatchOf) -> None:
    """The table is Delta's own: its reader finds the rows, by day."""
    lake.append([batch_of({}, {"event_creation_time": NOON})], source="a", version=1)
    lake.compact()
    table = DeltaTable(lake.table.uri)
    assert table.to_pyarrow_table(filters=[("day", "=", NOON.date())]).num_rows == 1
    assert {field.name for field in table.schema().fields} == {*SCHEMA.names, "day"}


@pytest.mark.parametrize(("microsecond", "schema"), [(1_000, in_milliseconds(SCHEMA)), (1_001, SCHEMA)])
def test_parquet_has_the_types_of_the_schema(
    lake: Lake, batch_of: BatchOf, microsecond: int, schema: pa.Schema
) -> None:
    """Sorted files are written from dictionaries; a reader must not see that. Times are in milliseconds if all are."""
    lake.append([batch_of({"event_creation_time": NOON.replace(microsecond=microsecond)})], source="a", version=1)
    lake.compact()
    [path] = lake.files()
    assert pq.read_schema(path).equals(schema)


def test_times_of_any_unit_are_found_and_kept(lake: Lake, batch_of: BatchOf) -> None:
    """A recorder's are in microseconds, Sysmon's in milliseconds: side by side, then in one file."""
    times = [NOON.replace(microsecond=microsecond) for microsecond in (1_000, 3_000, 1_500, 2_500)]
    for version, pair in enumerate((times[:2], times[2:])):
        lake.append([batch_of(*({"event_creation_time": time} for time in pair))], source="a", version=version)
    units = [pq.read_schema(path).field("event_creation_time").type.unit for path in lake.files()]
    assert sorted(units) == ["ms", "us"]
    since = NOON.replace(microsecond=1_200)
    for _ in range(2):
        for start, expected in ((None, sorted(times)), (since, sorted(times)[1:])):
            found = pa.Table.from_batches(lake.batches(start))["event_creation_time"].to_pylist()
            assert sorted(found) == expected
            asked = connect_lake(lake.location, since=start).sql("SELECT event_creation_time FROM connections")
            assert sorted(row[0] for row in asked.fetchall()) == expected
        lake.compact()
        assert lake.verify().faults == []


def test_open_without_a_lake_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"found no lake at .*none, expected one: name it by --lake DIR or PROCWIRE_LAKE"
    ):
        Lake.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_open_of_a_broken_table_is_one_line(lake: Lake, batch_of: BatchOf) -> None:
    lake.append([batch_of({})], source="a", version=1)
    log = Path(lake.table.uri, "_delta_log", "00000000000000000000.json")
    log.write_text("nonsense\n")
    with pytest.raises(LakeError, match=r"0\.json: [^\n]+$"):
        Lake.open(lake.location)


_APPENDS = """
import sys
import pyarrow as pa
from procwire.event import LIVE_SCHEMA
from procwire.lake.lake import Lake
lake, name = Lake.open(sys.argv[1]), sys.argv[2]
for number in range(20):
    rows = [{"record_id": number * 10 + place, "computer_name": name} for place in range(10)]
    assert lake.append([pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)], source=name, version=number)
"""


def test_writers_at_once_lose_and_double_nothing(lake: Lake) -> None:
    """Three recorders append 20 times each while a fourth process's compactions go on."""
    writers = [
        subprocess.Popen([sys.executable, "-c", _APPENDS, lake.location, f"host{number}"]) for number in range(3)
    ]
    while any(writer.poll() is None for writer in writers):
        lake.compact()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    rows = pa.Table.from_batches(lake.batches()).select(["computer_name", "record_id"]).to_pylist()
    expected = [(f"host{number}", record) for number in range(3) for record in range(200)]
    assert sorted((row["computer_name"], row["record_id"]) for row in rows) == expected
    assert lake.verify().faults == []
