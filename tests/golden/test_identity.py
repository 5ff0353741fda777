"""An event is kept once, in whatever formats its log is read: every format of a log after every other adds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import truth

import procwire
from procwire.event import CONNECTION, EVENTS, LIVE_SCHEMA, Event
from procwire.lake import Lake
from procwire.lake.ingest import Ingest
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sinks.syslog import SyslogSink

_DERIVED = truth.DATA / "xml-json-derived"
LOGS: dict[str, tuple[Path, ...]] = {
    "evtx": (truth.EXAMPLE,),
    "shipped": (truth.DATA / "json" / "mordor-whole" / "covenant_lolbin_wuauclt_createremotethread.zip",),
    "linux": (truth.DATA / "linux" / "log4shell.part1.derived.syslog.gz",),
}
"""Logs with connections, processes and names, each as it was found."""
OTHERS = {"evtx": [_DERIVED / "issue_43.events.xml.gz", _DERIVED / "issue_43.evtx_dump.jsonl.gz"],
          "linux": [truth.DATA / "linux" / "log4shell-azure-syslog.part1.ndjson.gz"]}  # fmt: skip
"""The same logs in the formats of others."""
WAYS = ("ndjson", "csv", "xml", "parquet", "arrow")


@dataclass(frozen=True)
class Form:
    """A log in one format."""

    name: str
    paths: tuple[Path, ...]


def written(path: Path, table: pa.Table) -> Path:
    """As `read -o` writes it, by the file's suffix."""
    with path.open("wb") as stream:
        syslog = path.suffix == ".syslog"
        sink = SyslogSink(stream) if syslog else open_sink(path.suffix[1:], stream, table.schema)
        for batch in table.to_batches():
            sink.write(batch)
        sink.close()
    return path


def as_recorded(table: pa.Table) -> pa.Table:
    """Connections as a recording has them."""
    for field in LIVE_SCHEMA:
        if field.name not in table.schema.names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    kind = pa.repeat(pa.scalar("connection"), table.num_rows)
    return table.set_column(table.schema.get_field_index("record_kind"), "record_kind", kind)


def cut(table: pa.Table) -> pa.Table:
    """With times in milliseconds only, as procwire once wrote them."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field, pc.floor_temporal(table[field.name], unit="millisecond"))
    return table


def forms_of(log: str, folder: Path) -> list[Form]:
    forms = [Form("found", LOGS[log]), *(Form(path.name, (path,)) for path in OTHERS.get(log, ()))]

    def add(name: str, suffix: str, tables: dict[Event, pa.Table]) -> None:
        files = [
            written(folder / f"{name}-{event.name}.{suffix}", table)
            for event, table in tables.items()
            if table.num_rows
        ]
        forms.append(Form(name, tuple(files)))

    tables = {event: procwire.read(LOGS[log], event=event) for event in EVENTS}
    for way in WAYS:
        add(way, way, tables)
    for way in ("ndjson", "csv", "parquet"):
        add(f"{way} sysmon", way, {event: procwire.read(LOGS[log], event=event, names="sysmon") for event in EVENTS})
    for way in ("ndjson", "csv"):
        add(f"{way} in milliseconds", way, {event: cut(table) for event, table in tables.items()})
    add("syslog", "syslog", {CONNECTION: as_recorded(tables[CONNECTION])})
    add("a recording's parquet", "parquet", {CONNECTION: as_recorded(tables[CONNECTION])})
    add("a recording's ndjson", "ndjson", {CONNECTION: as_recorded(tables[CONNECTION])})
    return forms


def read_into(lake: Lake, *forms: Form) -> dict[str, int]:
    """Rows added, by table."""
    ingest, ledger = Ingest(lake), Ledger()
    ingest.run([path for form in forms for path in form.paths], ledger=ledger)
    assert not ledger.unread, ledger.summary()
    return {table: rows for table, rows in ingest.added.items() if rows}


@pytest.mark.parametrize("log", LOGS)
def test_every_format_of_a_log_after_every_other_adds_nothing(log: str, tmp_path: Path) -> None:
    forms = forms_of(log, tmp_path)
    whole = {event.table: rows for event in EVENTS if (rows := procwire.read(LOGS[log], event=event).num_rows)}
    assert whole["connections"] > 0
    assert len(whole) > 1
    for number, first in enumerate(forms):
        lake = Lake.open(tmp_path / f"lake {number}", create=True)
        added = read_into(lake, first)
        assert added == {table: whole[table] for table in added} != {}, first.name
        # Some formats have connections only: then context comes with the others, once.
        assert added | read_into(lake, *forms) == whole, first.name
        assert {part.table.layout.name: part.info().events for part in lake.tables()} == whole, first.name


def test_what_a_recording_put_into_a_lake_is_not_added_from_its_files(tmp_path: Path) -> None:
    """Its times are finer than Sysmon for Linux' lines have them."""
    table = as_recorded(procwire.read(truth.EXAMPLE))
    finer = pc.add(table["event_creation_time"], pa.scalar(123, pa.duration("us")))
    table = table.set_column(0, "event_creation_time", finer)
    lake = Lake.open(tmp_path / "lake", create=True)
    lake.append(table.to_batches(), source="recording", version=1)
    files = [written(tmp_path / f"x.{way}", table) for way in (*WAYS, "syslog")]
    assert read_into(lake, Form("its files", tuple(files))) == {}
    assert lake.info().events == table.num_rows
    # The other way round too, and one file after the other.
    for number, first in enumerate(files):
        lake = Lake.open(tmp_path / f"lake {number}", create=True)
        assert read_into(lake, Form(first.name, (first,))) == {"connections": table.num_rows}
        assert read_into(lake, Form("the others", tuple(files))) == {}, first.name
