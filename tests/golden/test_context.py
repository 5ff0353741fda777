"""Every field of every event 1 and 22 equals what readers that share no code with ours say: EVTX by PyPI `evtx` and
python-evtx, JSON as Security-Datasets has it by Python's own `json`."""

from __future__ import annotations

import html
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import independent
import pyarrow as pa
import pytest
import truth

import procwire
from procwire.event import DNS_QUERY, PROCESS_CREATION, Event

CORPUS = Path(os.environ["PROCWIRE_CORPUS"]) if os.environ.get("PROCWIRE_CORPUS") else None
CASES = truth.cases(truth.DATA) + (truth.cases(CORPUS) if CORPUS else [])
EVTX = [case.path for case in CASES if case.name.startswith("evtx")] + [truth.EXAMPLE]
ARCHIVES = [case.path for case in CASES if case.is_archive]
# No EVTX to PyPI evtx, and for python-evtx too large.
NO_EVTX = ("Yamato-Security/test1.evtx", "evtx-corrupt/fox-it/TestLogX.evtx", "trunc-issue_43.evtx")
SMALL_BYTES = 70_000
NOT_READ = ("dns_log_malformed", "issue_201")

every_event = pytest.mark.parametrize("event", [PROCESS_CREATION, DNS_QUERY], ids=lambda event: event.name)


def name(path: Path) -> str:
    return str(path.relative_to(path.parents[2]))


def rows_of(path: Path, event: Event) -> list[dict[str, Any]]:
    ledger = procwire.Ledger()
    table: pa.Table = procwire.scan(path, event=event, ledger=ledger).read_all()
    assert ledger.events == table.num_rows == ledger.by_event[event.name]
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def differences(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[tuple[int, str, Any, Any]]:
    assert len(rows) == len(expected)
    return [
        (number, column, row[column], value)
        for number, (row, reported) in enumerate(zip(rows, expected, strict=True))
        for column, value in reported.items()
        if row[column] != value
    ]


@every_event
@pytest.mark.parametrize("path", [path for path in EVTX if not str(path).endswith(NO_EVTX)], ids=name)
def test_events_equal_what_pypi_evtx_reads(path: Path, event: Event) -> None:
    documents = independent.evtx_documents(independent.unpacked(path))
    records = independent.evtx_events(documents, event.id)
    expected = [
        truth.expected_data(record["EventData"], event.id) | truth.expected_system(record["System"])
        for record in records
    ]
    assert differences(rows_of(path, event), expected) == []


@every_event
@pytest.mark.parametrize("path", [path for path in EVTX if not str(path).endswith(NO_EVTX)], ids=name)
def test_events_equal_what_python_evtx_reads(path: Path, event: Event, tmp_path: Path) -> None:
    raw = independent.unpacked(path)
    if len(raw) > SMALL_BYTES or path.name.startswith(NOT_READ):
        pytest.skip("too large for python-evtx, or with something that it cannot decode")
    unpacked = tmp_path / "log.evtx"
    unpacked.write_bytes(raw)
    records = independent.python_evtx_events(independent.python_evtx_documents(unpacked), event.id)
    for record in records:
        if (logon := record["EventData"].get("LogonId")) is not None:
            # It writes all sixteen digits.
            record["EventData"]["LogonId"] = hex(int(logon, 16))
    expected = [truth.expected_data(record["EventData"], event.id) for record in records]
    assert differences(rows_of(unpacked, event), expected) == []


def test_the_example_holds_events_1() -> None:
    """So that the tests above do not compare nothing with nothing; and DNS queries are in Security-Datasets' files."""
    assert len(rows_of(truth.EXAMPLE, PROCESS_CREATION)) == 356
    assert sum(len(rows_of(path, DNS_QUERY)) for path in ARCHIVES) >= 4


@every_event
@pytest.mark.parametrize("path", ARCHIVES, ids=name)
def test_events_equal_what_json_reads(path: Path, event: Event) -> None:
    """Security-Datasets' records are flat, or winlogbeat 6's, with Sysmon's own names as keys; what a record lacks is
    not compared, for then our reader looks into the message."""
    records = [
        record.get("event_data", record)
        for line in lines(path)
        if (record := json.loads(line)).get("EventID", record.get("event_id")) == event.id
        and "Sysmon" in record.get("Channel", record.get("log_name", ""))
    ]
    expected = []
    for record in records:
        data = {key: html.unescape(value) if isinstance(value, str) else str(value) for key, value in record.items()}
        row = truth.expected_data(data, event.id)
        expected.append({column: value for column, value in row.items() if value is not None})
    assert differences(rows_of(path, event), expected) == []


def lines(path: Path) -> Iterator[str]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [archive.read(member) for member in archive.namelist()]
    else:
        with tarfile.open(path) as packed:
            files = [packed.extractfile(member) for member in packed if member.isfile()]
            members = [file.read() for file in files if file is not None]
    for member in members:
        yield from (line for line in io.StringIO(member.decode("utf-8")) if line.startswith("{"))
