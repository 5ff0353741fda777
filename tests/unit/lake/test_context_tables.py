"""Process creations and DNS queries in the lake: read in the same pass as connections, with the same guarantees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

import procwire
from command_line import invoke
from procwire.event import CONNECTION, DNS_QUERY, EVENTS, PROCESS_CREATION, Event
from procwire.lake import Lake
from procwire.lake import ingest as module
from procwire.lake.ingest import Ingest
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sources import read_events

T0 = datetime(2024, 3, 1, tzinfo=UTC)
GUID = "{A98268C1-957F-5ACD-0000-0010EB030000}"


def log_of(path: Path, first: int = 0, rows: int = 20, *, day: int = 0) -> Path:
    """A log in XML with so many of each event, each numbered from `first` on."""
    body = b""
    for event in EVENTS:
        made = [
            {
                "event_creation_time": T0 + timedelta(days=day, seconds=number),
                "event_recorded_time": T0 + timedelta(days=day, seconds=number),
                "record_id": 10 * number + event.id % 7,
                "process_guid": GUID,
                "computer_name": "WS-1",
                "provider_name": "Microsoft-Windows-Sysmon",
                "channel": "Microsoft-Windows-Sysmon/Operational",
                "dst_ip": "203.0.113.9",
                "process_command_line": f"program {number}",
                "dns_query_name": f"name-{number}.example",
                "dns_query_results": "::ffff:203.0.113.9;",
            }
            for number in range(first, first + rows)
        ]
        target = pa.BufferOutputStream()
        sink = open_sink("xml", target, event.schema)
        sink.write(pa.RecordBatch.from_pylist(made, schema=event.schema))
        sink.close()
        body += target.getvalue().to_pybytes()
    path.write_bytes(body)
    return path


def counts(lake: Lake) -> dict[str, int]:
    return {part.table.layout.name: part.info().events for part in Lake.open(lake.location).tables()}


def all_of(rows: int) -> dict[str, int]:
    return {event.table: rows for event in EVENTS}


def into(lake: Lake, *logs: Path) -> Ingest:
    ingest = Ingest(lake)
    ingest.run(logs, ledger=Ledger())
    return ingest


def rows_of(lake: Lake, event: Event) -> list[int]:
    part = lake.beside(event.table)
    assert part is not None
    return sorted(pa.Table.from_batches(part.batches())["record_id"].to_pylist())


def test_one_pass_fills_all_tables(lake: Lake, tmp_path: Path) -> None:
    assert counts(lake) == {"connections": 0}
    done = into(lake, log_of(tmp_path / "a.xml"))
    assert counts(lake) == dict(done.added) == all_of(20)
    assert [reading.added for reading in done.logs] == [20]


def test_log_is_read_once_and_an_event_of_two_logs_kept_once(lake: Lake, tmp_path: Path) -> None:
    first, second = log_of(tmp_path / "a.xml"), log_of(tmp_path / "b.xml", 10)
    into(lake, first)
    assert into(lake, first).already == [str(first)]
    assert dict(into(lake, second).added) == all_of(10)
    assert counts(lake) == all_of(30)


@pytest.mark.parametrize("appends", range(9))
def test_interrupted_reading_goes_on_where_each_table_ended(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, appends: int
) -> None:
    """After so many appends, which may lie between two tables'; of rows that nothing but their position tells apart."""
    log = log_of(tmp_path / "a.xml")
    log.write_bytes(b"\n".join(line for line in log.read_bytes().splitlines() if b"EventRecordID" not in line))
    monkeypatch.setattr(module, "_APPEND_ROWS", 14)
    whole, append, left = read_events, Lake.append_logs, [appends]

    def pieces(*args: object, **kwargs: object) -> object:
        for event, batch in whole(*args, **kwargs):  # type: ignore[arg-type]
            yield from ((event, batch.slice(start, 7)) for start in range(0, batch.num_rows, 7))

    def fail_then(self: Lake, rows: pa.Table, transactions: dict[str, int]) -> pa.Table | None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return append(self, rows, transactions)

    monkeypatch.setattr(module, "read_events", pieces)
    with monkeypatch.context() as failing:
        failing.setattr(Lake, "append_logs", fail_then)
        if appends < 6:
            with pytest.raises(KeyboardInterrupt):
                into(lake, log)
    into(Lake.open(lake.location), log)
    assert counts(lake) == all_of(20)
    part = lake.beside("dns_queries")
    assert part is not None
    names = pa.Table.from_batches(part.batches())["dns_query_name"].to_pylist()
    assert sorted(names) == sorted(f"name-{number}.example" for number in range(20))


def test_the_lake_is_asked_for_all_of_them(lake: Lake, tmp_path: Path) -> None:
    into(lake, log_of(tmp_path / "a.xml"))
    for source, since in ((lake.location, None), (str(tmp_path / "a.xml"), None), (lake.location, T0)):
        database = procwire.connect(source, since=since)
        tables = ", ".join(f"(SELECT count(*) FROM {event.table})" for event in EVENTS)
        assert database.sql(f"SELECT {tables}").fetchall() == [(20, 20, 20)]
        query = "SELECT count(*), count(process_command_line), count(dns_query_name) FROM enriched"
        assert database.sql(query).fetchall() == [(20, 20, 20)]


def test_compaction_expiry_and_verification_take_all_tables(lake: Lake, tmp_path: Path) -> None:
    into(lake, log_of(tmp_path / "a.xml"))
    into(lake, log_of(tmp_path / "b.xml", 100, day=9))
    for event in EVENTS:
        before = rows_of(lake, event)
        part = lake.beside(event.table)
        assert part is not None
        assert part.compact().rows == 40
        assert (rows_of(lake, event), part.verify().faults) == (before, [])
    result = invoke("lake", "expire", "--older-than", "1d", "--yes", "--lake", lake.location)
    assert result.exit_code == 0
    assert counts(lake) == all_of(0)
    for event in (PROCESS_CREATION, DNS_QUERY):
        assert f" dropped, 40 {event.rows}, " in result.stderr


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_export_writes_the_table_that_is_asked_for(event: Event, lake: Lake, tmp_path: Path) -> None:
    into(lake, log_of(tmp_path / "a.xml"))
    target = tmp_path / "out.xml"
    options = ["--lake", lake.location, "--table", event.table, "-o", str(target)]
    result = invoke("lake", "export", *options)
    assert result.exit_code == 0, result.stderr
    assert procwire.read(target, event=event).num_rows == 20


def test_export_of_a_table_that_the_lake_does_not_have_is_empty(lake: Lake) -> None:
    result = invoke("lake", "export", "--lake", lake.location, "--table", "dns_queries")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 rows\n")


def test_configuration_and_where_choose_connections_alone(lake: Lake, tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.xml")
    options = ["--lake", lake.location, "--where", "dst_ip = '198.51.100.1'"]
    result = invoke("read", str(log), *options)
    assert result.exit_code == 0, result.stderr
    assert counts(lake) == {**all_of(20), CONNECTION.table: 0}
    assert "0 connections added, 20 left out, 20 process creations, 20 DNS queries" in result.stderr
