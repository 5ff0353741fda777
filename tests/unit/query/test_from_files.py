"""Parquet and Arrow files are asked like the logs that they were made from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import procwire
from event_rows import BatchOf
from procwire.errors import InputError, UsageError
from procwire.event import LIVE_SCHEMA, NAMES
from procwire.lake import Lake
from procwire.ledger import Ledger
from procwire.query import Database, connect_logs
from procwire.sinks import open_sink

if TYPE_CHECKING:
    from procwire.choices import Names

VIEWS = ("connections", "processes", "destinations", "pairs", "process_creations", "dns_queries", "enriched")
COUNT = "SELECT count(*) FROM connections"


def write(path: Path, table: pa.Table) -> Path:
    """As `read -o` does."""
    with path.open("wb") as stream:
        sink = open_sink(path.suffix[1:], stream, table.schema)
        for batch in table.to_batches():
            sink.write(batch)
        sink.close()
    return path


def answers(source: Any, query: str) -> list[tuple[Any, ...]]:
    with procwire.connect(source) as database:
        return database.sql(query).fetchall()


def asked(*paths: Path) -> tuple[list[tuple[Any, ...]], Ledger]:
    ledger = Ledger()
    with connect_logs(paths, ledger=ledger) as database:
        return database.sql(COUNT).fetchall(), ledger


@pytest.fixture(scope="module")
def table(example_log: Path) -> pa.Table:
    return procwire.read(example_log)


@pytest.fixture(scope="module")
def database(example_log: Path) -> Iterator[Database]:
    """The log itself."""
    with procwire.connect(example_log) as connection:
        yield connection


@pytest.mark.parametrize(("suffix", "names"), [*(("parquet", names) for names in NAMES), ("arrow", "ossem")])
def test_a_file_gives_what_its_log_gives(
    database: Database, example_log: Path, tmp_path: Path, suffix: str, names: Names
) -> None:
    """In every vocabulary, in every view; the bytes of addresses too, which `read -o` leaves out."""
    kept = [field for field in procwire.SCHEMA.names if not field.endswith("_bytes")]
    whole = procwire.read(example_log, names=names)
    with procwire.connect(write(tmp_path / f"it's [1] *.{suffix}", whole.select(range(len(kept))))) as asked:
        for view in VIEWS:
            query = f"SELECT * FROM (DESCRIBE {view}) ORDER BY column_name"
            assert asked.sql(query).fetchall() == database.sql(query).fetchall()
        for query in ("FROM connections ORDER BY ALL", "FROM pairs ORDER BY ALL"):
            assert asked.sql(query).fetchall() == database.sql(query).fetchall() != []


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_recorded_time_without_a_zone_is_not_taken_for_utc(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    """It may be a local one. UtcTime is UTC without saying so."""
    plain = table
    for name in ("event_creation_time", "event_recorded_time"):
        plain = plain.set_column(plain.schema.get_field_index(name), name, plain[name].cast(pa.timestamp("us")))
    for number in range(2):
        write(tmp_path / f"{number}.{suffix}", plain)
    ledger = Ledger()
    with connect_logs([tmp_path], ledger=ledger) as database:
        query = (
            "SELECT count(event_creation_time), count(event_recorded_time), min(event_creation_time) FROM connections"
        )
        [(created, recorded, first)] = database.sql(query).fetchall()
    assert (created, recorded, first) == (2 * 153, 0, min(table["event_creation_time"].to_pylist()))
    assert dict(ledger.warnings) == {"unreadable value": 2}


def test_context_is_kept_in_files_too(example_log: Path, tmp_path: Path) -> None:
    for event in ("connection", "process-creation", "dns-query"):
        write(tmp_path / f"{event}.parquet", procwire.read(example_log, event=event))
    query = "SELECT process_command_line, dst_ip, record_id FROM enriched ORDER BY ALL"
    assert answers(tmp_path, query) == answers(example_log, query)
    assert any(line for line, *_ in answers(tmp_path, query))


def test_logs_and_files_of_other_columns_are_asked_together(example_log: Path, table: pa.Table, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table)
    write(tmp_path / "b.parquet", table.select(["dst_ip", "process_name", "event_creation_time"]))
    write(tmp_path / "c.arrow", table.drop_columns(["dst_ip_bytes"]))
    (tmp_path / "d.evtx").write_bytes(example_log.read_bytes())
    [(rows,)], ledger = asked(tmp_path)
    assert rows == ledger.by_event["connection"] == 4 * 153
    assert {file.format for file in ledger.files} == {"parquet", "arrow", "evtx"}
    query = "SELECT count(*), count(dst_port), count(dst_ip_bytes) FROM connections"
    assert answers(str(tmp_path / "*"), query) == [(4 * 153, 3 * 153, 4 * 153)]


def test_a_recording_keeps_what_only_it_has(batch_of: BatchOf, tmp_path: Path) -> None:
    """But for alerts, which tell of a row that is there; a row without a kind is a connection."""
    kinds = pa.array(["connection", "close", None, "alert"])
    rows = pa.Table.from_batches([batch_of({}, {}, {}, {})])
    for column in LIVE_SCHEMA:
        if column.name not in rows.schema.names:
            values = kinds if column.name == "record_kind" else pa.nulls(4, column.type)
            rows = rows.append_column(column, values)
    file = write(tmp_path / "recorded.parquet", rows.append_column("rule_title", pa.nulls(4, pa.string())))
    assert answers(file, "SELECT record_kind FROM connections") == [("connection",), ("close",), ("connection",)]


def test_the_lakes_export_is_asked_and_its_own_files_are_not(table: pa.Table, tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake", create=True)
    lake.append(table, source="test", version=1)
    file = write(tmp_path / "week.parquet", pa.Table.from_batches(lake.batches()))
    assert answers(file, COUNT) == [(153,)]
    for path in (tmp_path, tmp_path / "lake" / "connections", next((tmp_path / "lake").rglob("day=*/*.parquet"))):
        with pytest.raises(
            UsageError, match=r"^found the files of the lake .*lake, expected logs: --lake asks a lake$"
        ):
            asked(path)


def test_times_of_other_makers_are_utc_and_since_holds(batch_of: BatchOf, tmp_path: Path) -> None:
    """Such as milliseconds, without a zone."""
    times = [datetime(2024, 3, day, 12, tzinfo=UTC) for day in (1, 2)]
    rows = pa.Table.from_batches([batch_of(*({"event_creation_time": time} for time in times))])
    rows = rows.set_column(0, "event_creation_time", rows[0].cast(pa.timestamp("ms")))
    pq.write_table(rows, tmp_path / "a.parquet")
    with procwire.connect(tmp_path / "a.parquet", since=times[1]) as database:
        [found] = database.sql("SELECT event_creation_time FROM connections").to_arrow_table()[0].to_pylist()
    assert found == times[1]


@pytest.mark.parametrize(
    ("columns", "reported"),
    [
        ({"a": [1]}, "found Parquet without the columns event_creation_time, process_name, dst_ip, expected network "),
        ({"event_creation_time": [1], "dst_ip": ["10.0.0.1"]}, "found Parquet without the column process_name, "),
        (
            {"event_creation_time": [[1]], "dst_ip": ["10.0.0.1"], "process_name": ["a"]},
            "cannot be queried as network ",
        ),
    ],
)
def test_a_file_of_others_is_reported_with_what_it_lacks(
    columns: dict[str, Any], reported: str, tmp_path: Path
) -> None:
    """Named it is unread; met in a folder it is skipped, like any file that is not a log."""
    pq.write_table(pa.table(columns), tmp_path / "other.parquet")
    [(rows,)], ledger = asked(tmp_path / "other.parquet")
    assert (rows, ledger.nothing_read, ledger.events) == (0, True, 0)
    assert (ledger.unread[0].error or "").startswith(reported)
    assert not asked(tmp_path)[1].damaged
    with pytest.raises(InputError, match=r"other.parquet: (found|cannot)"):
        procwire.connect(tmp_path / "other.parquet")


def test_a_file_cut_short_is_damage_wherever_it_is_met(table: pa.Table, tmp_path: Path) -> None:
    """Of an Arrow stream what came before is kept."""
    whole = write(tmp_path / "a.parquet", table).read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:-100])
    (tmp_path / ".b.parquet.1f.part").write_bytes(whole[:-100])
    stream = write(tmp_path / "c.arrow", pa.concat_tables([table, table])).read_bytes()
    (tmp_path / "c.arrow").write_bytes(stream[:-1000])
    [(rows,)], ledger = asked(tmp_path)
    assert rows == 153
    assert dict(ledger.damage) == {"read error": 1}
    assert [file.name for file in ledger.unread] == [str(tmp_path / "a.parquet")]
    assert [file.name for file in ledger.not_followed] == [str(tmp_path / ".b.parquet.1f.part")]
    assert asked(tmp_path / "a.parquet")[1].nothing_read


def test_read_says_who_asks_tables(table: pa.Table, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow"):
        with pytest.raises(InputError, match=r"expected a log: `procwire sql QUERY FILE` queries it$"):
            procwire.read(write(tmp_path / name, table))


def test_other_files_stay_out_of_reach(table: pa.Table, tmp_path: Path) -> None:
    with (
        procwire.connect(write(tmp_path / "a.parquet", table)) as database,
        pytest.raises(UsageError, match="read_text"),
    ):
        database.sql("FROM read_text('/etc/hostname')")
