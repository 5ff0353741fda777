"""Parquet and Arrow files into the lake: as the logs and recordings that they were made from."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import procwire
from command_line import Result, invoke
from event_rows import BatchOf
from procwire.event import EVENTS, LIVE_SCHEMA, NAMES
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sources.table_rows import log_rows
from procwire.sources.tables import open_table

if TYPE_CHECKING:
    from procwire.choices import Names

CONNECTIONS, PROCESSES = 153, 356
PLACES = ["source_file", "source_offset", "source_line"]


def write(path: Path, table: pa.Table) -> Path:
    """As `read -o` and `record -o` do."""
    with path.open("wb") as stream:
        sink = open_sink(path.suffix[1:], stream, table.schema)
        for batch in table.to_batches():
            sink.write(batch)
        sink.close()
    return path


def into(lake: Lake, *paths: Path) -> tuple[Ingest, Ledger]:
    ingest, ledger = Ingest(lake), Ledger()
    ingest.run(paths, ledger=ledger)
    return ingest, ledger


def cli(*arguments: object) -> Result:
    return invoke("read", *map(str, arguments))


def rows_of(lake: Lake) -> pa.Table:
    return pa.Table.from_batches(lake.batches()).sort_by("record_id")


@pytest.fixture(scope="module")
def table(example_log: Path) -> pa.Table:
    return procwire.read(example_log)


@pytest.mark.parametrize(("suffix", "names"), [*(("parquet", names) for names in NAMES), ("arrow", "ossem")])
def test_a_file_gives_the_lake_what_its_log_gives(
    lake: Lake, example_log: Path, tmp_path: Path, suffix: str, names: Names
) -> None:
    """In every vocabulary, with the bytes of addresses, which `read -o` leaves out; and each file is read once."""
    files = []
    for event in EVENTS:
        whole = procwire.read(example_log, event=event, names=names)
        kept = [name for name in whole.schema.names if not name.endswith(("_bytes", "IpBytes"))]
        files.append(write(tmp_path / f"{event.name}.{suffix}", whole.select(kept)))
    done, ledger = into(lake, *files)
    assert dict(done.added) == {"connections": CONNECTIONS, "process_creations": PROCESSES}
    assert not ledger.damaged
    assert [(file.records, file.events) for file in ledger.files] == [(153, 153), (356, 356), (0, 0)]
    other = Lake.open(tmp_path / "other", create=True)
    into(other, example_log)
    assert rows_of(lake).drop(PLACES).equals(rows_of(other).drop(PLACES))
    assert set(rows_of(lake)["source_file"].to_pylist()) == {str(files[0])}
    again, _ = into(lake, *files)
    assert (sum(again.added.values()), len(again.already)) == (0, 3)


def test_the_verb_reads_it_and_says_so(example_log: Path, tmp_path: Path) -> None:
    file, lake = tmp_path / "x.parquet", tmp_path / "lake"
    assert cli(example_log, "-o", file).exit_code == 0
    result = cli(file, "--to", "lake", "--lake", lake)
    assert result.exit_code == 0
    assert "1 file, 153 records, 153 network connections" in result.stderr
    assert "153 connections added" in result.stderr
    assert "0 connections added, 153 already stored" in cli(example_log, "--to", "lake", "--lake", lake).stderr


def test_a_predicate_chooses_its_connections_too(example_log: Path, tmp_path: Path) -> None:
    file, lake = tmp_path / "x.arrow", tmp_path / "lake"
    cli(example_log, "-o", file)
    result = cli(file, "--to", "lake", "--lake", lake, "--where", "dst_port = 443")
    assert "29 connections added, 124 left out" in result.stderr


RECORDED = [
    {"record_kind": "connection", "outcome": "established", "connection_id": 1, "logged": True},
    {"record_kind": "close", "duration_us": 7, "connection_id": 1},
    {"record_kind": "existing", "connection_id": 2},
    {"record_kind": "loss", "events_lost": 12},
    {"record_kind": None},
    {"record_kind": "alert"},
]


def recorded(batch_of: BatchOf) -> pa.Table:
    [base] = batch_of({}).to_pylist()
    rows = [base | {"record_id": number} | given for number, given in enumerate(RECORDED)]
    return pa.Table.from_pylist(rows, schema=LIVE_SCHEMA)


def test_a_recording_keeps_what_only_it_has(lake: Lake, batch_of: BatchOf, tmp_path: Path) -> None:
    """But for alerts: the connection that one tells of has its row."""
    done, ledger = into(lake, write(tmp_path / "recording.parquet", recorded(batch_of)))
    assert sum(done.added.values()) == 5
    [file] = ledger.files
    assert (file.records, file.events, file.other_events) == (6, 5, 1)
    kept = rows_of(lake)
    assert kept["record_kind"].to_pylist() == ["connection", "close", "existing", "loss", "connection"]
    assert kept["duration_us"].to_pylist() == [None, 7, None, None, None]
    assert kept["connection_id"].to_pylist() == [1, 1, 2, None, None]


def test_with_a_predicate_a_recording_gives_what_a_log_has(batch_of: BatchOf, tmp_path: Path) -> None:
    file, lake = write(tmp_path / "recording.parquet", recorded(batch_of)), tmp_path / "lake"
    assert "3 connections added" in cli(file, "--to", "lake", "--lake", lake, "--where", "dst_port = 138").stderr
    assert set(rows_of(Lake.open(lake))["record_id"].to_pylist()) == {0, 2, 4}


def _with(table: pa.Table, name: str, times: list[Any], kind: pa.DataType) -> pa.Table:
    column = pa.array(times + [None] * (table.num_rows - len(times)), kind)
    return table.set_column(table.schema.get_field_index(name), name, column)


def test_times_of_other_zones_and_units_become_utc(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    time = datetime(2024, 3, 1, 12, 0, 0, 123_456, UTC)
    ours = table.slice(0, 3)
    ours = _with(ours, "event_creation_time", [time] * 3, pa.timestamp("us", "Asia/Kolkata"))
    numbers = pa.array([int(time.timestamp()) * 10**9 + 123_456_789, -1, 0], pa.int64())
    ours = ours.set_column(
        ours.schema.get_field_index("event_recorded_time"),
        "event_recorded_time",
        numbers.cast(pa.timestamp("ns", "America/New_York")),
    )
    pq.write_table(ours, tmp_path / "x.parquet")
    _, ledger = into(lake, tmp_path / "x.parquet")
    assert not ledger.warnings
    kept = rows_of(lake)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert kept["event_creation_time"].to_pylist() == [time] * 3
    assert kept["event_recorded_time"].to_pylist() == [time, epoch - timedelta(microseconds=1), epoch]


def test_a_recorded_time_without_a_zone_is_not_taken_for_utc(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    """As in logs: it may be a local one. UtcTime is UTC without saying so."""
    plain = table.slice(0, 2)
    for name in ("event_creation_time", "event_recorded_time"):
        plain = plain.set_column(plain.schema.get_field_index(name), name, plain[name].cast(pa.timestamp("us")))
    pq.write_table(plain, tmp_path / "x.parquet")
    _, ledger = into(lake, tmp_path / "x.parquet")
    assert dict(ledger.warnings) == {"unreadable value": 2}
    kept = rows_of(lake)
    assert kept["event_creation_time"].to_pylist() == table.slice(0, 2)["event_creation_time"].to_pylist()
    assert kept["event_recorded_time"].null_count == 2


def test_a_time_beyond_the_calendar_is_null_and_a_warning(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    kind = pa.timestamp("us", "UTC")
    far = pa.array([2**63 - 1, -(2**63) + 1, 253_402_300_800_000_000], pa.int64()).cast(kind)
    ours = table.slice(0, 3).set_column(0, "event_creation_time", far)
    pq.write_table(ours, tmp_path / "x.parquet")
    done, ledger = into(lake, tmp_path / "x.parquet")
    assert dict(ledger.warnings) == {"unreadable value": 3}
    assert rows_of(lake)["event_creation_time"].null_count == sum(done.added.values()) == 3


def test_what_is_damaged_ends_the_file_and_is_named(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    """A flipped bit in a page; a column of another type. The file beside it is read."""
    write(tmp_path / "b-good.parquet", table)
    flipped = tmp_path / "a-flipped.parquet"
    pq.write_table(table, flipped, write_page_checksum=True, use_dictionary=False, compression="none")
    content = bytearray(flipped.read_bytes())
    content[len(content) // 3] ^= 1
    flipped.write_bytes(content)
    ports = pa.array(["not a port"] * table.num_rows)
    other = tmp_path / "c-other.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("dst_port"), "dst_port", ports), other)
    done, ledger = into(lake, tmp_path)
    assert ledger.damaged
    assert dict(ledger.damage) == {"read error": 2}
    damage = {
        Path(file.name).name: file.damage["read error"].examples[0].detail for file in ledger.files if file.damage
    }
    assert set(damage) == {"a-flipped.parquet", "c-other.parquet"}
    assert damage["c-other.parquet"].startswith("column dst_port: ")
    assert done.added["connections"] == lake.info().events == CONNECTIONS
    assert cli(other, "--to", "lake", "--lake", tmp_path / "lake2").exit_code == 3


def test_what_a_recording_has_not_published_is_passed_over(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    write(tmp_path / "x.arrow", table).rename(tmp_path / ".x.parquet.1f2e3d4c.journal")
    done, ledger = into(lake, tmp_path)
    assert not done.added
    assert [file.error for file in ledger.skipped] == ["found a hidden table, expected what a recording published"]


def test_other_tables_and_the_files_of_a_lake_are_passed_over(lake: Lake, table: pa.Table, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1]}), folder / "other.parquet")
    inner = Lake.open(folder / "inner", create=True)
    into(inner, write(folder / "x.parquet", table.filter(pc.equal(table["dst_port"], 443))))
    done, ledger = into(lake, folder)
    assert done.added["connections"] == 29
    errors = {Path(file.name).suffix: file.error for file in ledger.skipped if file.name.endswith(".parquet")}
    assert errors
    assert not ledger.damaged
    named, _ = into(lake, folder / "other.parquet")
    assert not named.added
    assert cli(folder / "other.parquet", "--to", "lake", "--lake", tmp_path / "lake2").exit_code == 1


def test_a_column_that_stands_twice_is_an_error(table: pa.Table, tmp_path: Path) -> None:
    twice = table.append_column(table.schema.field("dst_ip"), table["dst_ip"])
    pq.write_table(twice, tmp_path / "x.parquet")
    result = cli(tmp_path / "x.parquet", "--to", "lake", "--lake", tmp_path / "lake")
    assert result.exit_code == 1
    assert "found Parquet with the column dst_ip twice, expected each once" in result.stderr


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_no_forged_byte_ends_in_anything_but_an_account(table: pa.Table, tmp_path: Path, name: str) -> None:
    """Forged names, offsets, lengths and texts included: what is read is whole, the rest is damage or an error."""
    path, numbers = write(tmp_path / name, table.slice(0, 40)), random.Random(20261130)
    whole = path.read_bytes()
    outcomes = Counter[str]()
    for _ in range(250):
        forged = bytearray(whole)
        # The metadata stand at the end of Parquet, and at the beginning of Arrow.
        ends = (4, 6_000) if name.endswith("arrow") else (len(whole) - 6_000, len(whole) - 4)
        for _ in range(numbers.choice([1, 3])):
            forged[numbers.randrange(*numbers.choice([ends, (4, len(whole) - 4)]))] = numbers.randrange(256)
        path.write_bytes(forged)
        found, account = open_table(str(path), named=True)
        for batch in log_rows(found, name, live=True) if found else ():
            batch.validate(full=True)
        outcomes["error" if account.error else "damage" if account.damage else "read"] += 1
    assert min(outcomes.values()) > 0, outcomes
    assert len(outcomes) == 3, outcomes
