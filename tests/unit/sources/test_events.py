"""Events 1 and 22 in the shapes that logs have: named, unnamed, as text; alone and beside connections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

import procwire
from procwire.errors import UsageError
from procwire.event import DNS_QUERY, EVENTS, PROCESS_CREATION, Event, event_named
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sources import read_events

EXAMPLE = Path(__file__).parents[3] / "examples" / "sysmon.evtx"
CREATED = {
    "RuleName": "technique_id=T1059",
    "UtcTime": "2021-11-03 04:38:27.500",
    "ProcessGuid": "{3710B5C6-1243-6182-8303-000000000A00}",
    "ProcessId": "4044",
    "Image": "C:\\Windows\\System32\\notepad.exe",
    "FileVersion": "10.0.19041.1081 (WinBuild.160101.0800)",
    "Description": "Notepad",
    "Product": "Windows",
    "Company": "Microsoft Corporation",
    "OriginalFileName": "NOTEPAD.EXE",
    "CommandLine": 'notepad.exe "C:\\a & b.txt" /x: 1',
    "CurrentDirectory": "C:\\Users\\pedro\\",
    "User": "PC\\pedro",
    "LogonGuid": "{3710B5C6-F53C-6181-CABE-120000000000}",
    "LogonId": "0x12beca",
    "TerminalSessionId": "1",
    "IntegrityLevel": "Medium",
    "Hashes": "SHA1=66B6158B28CC2B970E454B6A8CF1824DD99E4029,MD5=1C1760ED4D19CDBECB2398216922628B",
    "ParentProcessGuid": "{3710B5C6-F548-6181-8C01-000000000A00}",
    "ParentProcessId": "4292",
    "ParentImage": "C:\\Windows\\explorer.exe",
    "ParentCommandLine": "C:\\Windows\\Explorer.EXE",
    "ParentUser": "PC\\pedro",
}
ASKED = {
    "RuleName": "dns",
    "UtcTime": "2022-06-29 19:06:02.389",
    "ProcessGuid": "{01E2A015-A2B2-62BC-AB05-000000000500}",
    "ProcessId": "3704",
    "QueryName": "checkappexec.microsoft.com",
    "QueryStatus": "9003",
    "QueryResults": "type:  5 wd-prod-ss.trafficmanager.net;::ffff:40.78.63.86;",
    "Image": "C:\\Windows\\System32\\smartscreen.exe",
    "User": "PC\\pedro",
}
DATA = {PROCESS_CREATION: CREATED, DNS_QUERY: ASKED}
HEADINGS = {PROCESS_CREATION: "Process Create:", DNS_QUERY: "Dns query:"}

both = pytest.mark.parametrize("event", [PROCESS_CREATION, DNS_QUERY], ids=lambda event: event.name)


def assert_read(log: Path, event: Event, data: dict[str, str], lacking: Sequence[str] = ()) -> None:
    """The log's one event of this kind has these values, and nothing is left over."""
    ledger = Ledger()
    [row] = procwire.read(log, event=event, ledger=ledger).to_pylist()
    assert (ledger.damage, ledger.warnings) == ({}, {})
    for field in event.fields:
        if field.group == "event" and not pa.types.is_timestamp(field.type):
            reported = None if field.sysmon in lacking else data[field.sysmon]
            assert (None if row[field.name] is None else str(row[field.name])) == reported, field.name
    assert row["event_creation_time"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] == data["UtcTime"]


def record(event: Event, **more: object) -> str:
    return json.dumps({"EventID": event.id, "SourceName": "Microsoft-Windows-Sysmon", "Hostname": "PC", **more}) + "\n"


def message(event: Event, separator: str) -> str:
    return separator.join([HEADINGS[event], *(f"{name}: {value}" for name, value in DATA[event].items())])


@both
def test_flat_json(event: Event, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(record(event, **DATA[event]))
    assert_read(tmp_path / "log", event, DATA[event])


@both
@pytest.mark.parametrize("separator", ["\r\n", "\n", "  "])
def test_message_text_in_json(event: Event, separator: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(record(event, Message=message(event, separator)))
    assert_read(tmp_path / "log", event, DATA[event])


@both
def test_line_of_text_that_says_nothing_else(event: Event, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"Nov  3 04:38:27 pc sysmon: {message(event, ' ')}\n")
    assert_read(tmp_path / "log", event, DATA[event])
    ledger = Ledger()
    assert procwire.read(tmp_path / "log", ledger=ledger).num_rows == 0
    assert ledger.files[0].other_events == 1


@pytest.mark.parametrize(
    ("event", "lacking"),
    [
        (PROCESS_CREATION, ()),
        (PROCESS_CREATION, ("ParentUser",)),
        (PROCESS_CREATION, ("ParentUser", "OriginalFileName")),
        (PROCESS_CREATION, ("ParentUser", "OriginalFileName", "RuleName")),
        (
            PROCESS_CREATION,
            ("ParentUser", "OriginalFileName", "RuleName", "FileVersion", "Description", "Product", "Company"),
        ),
        (DNS_QUERY, ()),
        (DNS_QUERY, ("User",)),
    ],
)
def test_values_without_names_are_those_of_the_version_that_has_so_many(
    event: Event, lacking: Sequence[str], tmp_path: Path
) -> None:
    values = [value for name, value in DATA[event].items() if name not in lacking]
    (tmp_path / "inserts").write_text(record(event, StringInserts=values))
    assert_read(tmp_path / "inserts", event, DATA[event], lacking)
    data = "".join(f"<Data>{value.replace('&', '&amp;')}</Data>" for value in values)
    system = f'<Provider Name="Microsoft-Windows-Sysmon"/><EventID>{event.id}</EventID>'
    (tmp_path / "xml").write_text(f"<Event><System>{system}</System><EventData>{data}</EventData></Event>")
    assert_read(tmp_path / "xml", event, DATA[event], lacking)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@pytest.mark.parametrize("way", ["xml", "ndjson", "csv"])
def test_what_is_written_is_read_back(event: Event, way: str, tmp_path: Path) -> None:
    source = EXAMPLE if event != DNS_QUERY else _of_queries(tmp_path)
    table = procwire.read(source, event=event)
    target = tmp_path / f"out.{way}"
    with target.open("wb") as stream:
        sink = open_sink(way, stream, table.schema)
        for batch in table.to_batches():
            sink.write(batch)
        sink.close()
    again = procwire.read(target, event=event)
    logged = [field.name for field in event.fields if field.group in ("event", "system")]
    times = ["event_recorded_time"] if way != "xml" else []
    kept = [name for name in logged if name not in times]
    assert again.num_rows > 0
    assert again.select(kept).to_pylist() == table.select(kept).to_pylist()


def _of_queries(folder: Path) -> Path:
    (folder / "queries").write_text(record(DNS_QUERY, **ASKED) * 3)
    return folder / "queries"


def test_all_events_come_in_one_pass_in_the_order_of_the_log() -> None:
    ledger = Ledger()
    found: dict[str, list[pa.RecordBatch]] = {}
    for event, batch in read_events([EXAMPLE], ledger=ledger):
        assert batch.schema == event.schema
        found.setdefault(event.name, []).append(batch)
    for event in EVENTS[:2]:
        rows = pa.Table.from_batches(found[event.name])
        assert rows.equals(procwire.read(EXAMPLE, event=event))
        offsets = rows["source_offset"].to_pylist()
        assert offsets == sorted(offsets)
    assert dict(ledger.by_event) == {"connection": 153, "process-creation": 356}
    assert ledger.events == 509
    assert ledger.records == 1_730 == 509 + ledger.files[0].other_events
    assert "153 network connections, 356 process creations, 0 DNS queries" in ledger.summary()


def test_wrapper_with_words_of_a_process_is_still_a_wrapper(tmp_path: Path) -> None:
    """A product and a description may well stand beside a list of records."""
    records = [json.loads(record(PROCESS_CREATION, **CREATED))] * 2
    (tmp_path / "log").write_text(json.dumps({"Product": "export", "Description": "of today", "Records": records}))
    assert procwire.read(tmp_path / "log", event=1).num_rows == 2


def test_follow_gives_the_event_that_is_asked_for() -> None:
    """Of an EVTX file, chunk by chunk."""
    stream = procwire.scan(EXAMPLE, event="process-creation", follow=True)
    rows = 0
    for batch in stream:
        rows += batch.num_rows
        if rows >= 356:
            break
    assert rows == 356


@pytest.mark.parametrize("name", ["1", "process-creation", "ProcessCreate", "process_creations"])
def test_event_has_several_names(name: str) -> None:
    assert event_named(name) is PROCESS_CREATION


def test_unknown_event_is_refused_and_a_configuration_too() -> None:
    with pytest.raises(UsageError, match=r"found event 'x', expected one of 3 \(connection\), 1 \(process-creation\)"):
        procwire.scan(EXAMPLE, event="x")
    with pytest.raises(UsageError, match="found a configuration with event dns-query, expected connection"):
        procwire.scan(EXAMPLE, event=22, config="any.xml")
