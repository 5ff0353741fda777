"""Every field of every event 3 of the corpora equals the ground truth, after the documented normalisation.

The repository's own corpus is always read; the whole one, whose licences keep it out of the repository, where
PROCWIRE_CORPUS names its folder (with MANIFEST.tsv and truth/).
"""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import truth
from truth import Case

import procwire
from procwire.sources import read_batches

CORPUS = Path(os.environ["PROCWIRE_CORPUS"]) if os.environ.get("PROCWIRE_CORPUS") else None
OURS = truth.cases(truth.DATA)
CASES = [pytest.param(case, id=case.name) for case in OURS] + (
    [pytest.param(case, id=f"corpus:{case.name}") for case in truth.cases(CORPUS)] if CORPUS else []
)
EXAMPLE = Case("examples/sysmon.evtx", truth.EXAMPLE, 153, truth.EXAMPLE_TRUTH, "", "Apache-2.0")
CASES.append(pytest.param(EXAMPLE, id=EXAMPLE.name))

# Their time of writing is not the truth's: the portal's local time (see test_time_of_writing_in_sentinels_csv),
# and documents in which Elastic's pipeline has put UtcTime in its place.
OTHER_TIME = ("csv-azure/", "json/elastic-winlogbeat/sysmon-9.01.ecs-golden")
# Read further than the truth, which stops at the chunk that the file's end cuts.
CUT_OFF = "evtx-corrupt/derived/trunc-issue_43.evtx"

FREE_LICENCES = {"MIT", "Apache-2.0", "MIT OR Apache-2.0", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0"}


def read(case: Case) -> tuple[pa.Table, procwire.Ledger]:
    ledger = procwire.Ledger()
    batches = list(read_batches([case.path], ledger=ledger))
    return pa.Table.from_batches(batches, procwire.SCHEMA), ledger


@pytest.mark.skipif(CORPUS is None, reason="PROCWIRE_CORPUS names no folder with the whole corpus")
def test_every_file_of_the_whole_corpus_with_events_has_truth() -> None:
    assert CORPUS is not None
    assert not [case.name for case in truth.cases(CORPUS) if (case.events > 0) != (case.truth is not None)]


def test_every_file_of_the_repository_is_listed_and_free() -> None:
    files = {str(path.relative_to(truth.DATA)) for path in truth.DATA.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    kept = ("truth/", "licences/", "lakes/", "recordings/", "reports/", "shapes/")
    logs = {name for name in files if not name.startswith(kept)}
    assert logs == {case.name for case in OURS} | {"MANIFEST.tsv", "PROVENANCE.md", "make_golden.py"}
    assert {case.licence for case in OURS} <= FREE_LICENCES
    assert sum((truth.DATA / name).stat().st_size for name in files) < 3 << 20


@pytest.mark.parametrize("case", CASES)
def test_fields_equal_the_truth(case: Case) -> None:
    """Each value that the truth holds stands in its column; nothing else is a row, and no row is missing."""
    table, ledger = read(case)
    assert ledger.events == table.num_rows
    if case.truth is None:
        assert (table.num_rows, case.events) == (0, 0)
        return
    records = list(truth.records(case.truth))
    if case.name == CUT_OFF:
        assert table.num_rows >= len(records)
        table = table.slice(0, len(records))
    assert table.num_rows == len(records) == case.events
    shipped = case.name.startswith(("json/", "csv-azure/"))
    for number, (row, record) in enumerate(zip(table.to_pylist(), records, strict=True), 1):
        expected = truth.expected_row(record, shipped=shipped)
        if case.name.startswith(OTHER_TIME):
            del expected["event_recorded_time"]
        assert {column: row[column] for column in expected} == expected, f"event {number}"
    assert ledger.warnings == expected_warnings(table)


def expected_warnings(table: pa.Table) -> dict[str, int]:
    """Addresses that are none, those of IPv6 in no block that was ever handed out, and times of recording
    that cannot be right (the flat layout of Security-Datasets calls local times UTC)."""
    pairs = [
        (row[f"{side}_ip"], row[f"{side}_ip_bytes"])
        for row in table.to_pylist()
        for side in ("src", "dst")
        if row[f"{side}_ip"]
    ]
    texts = sum(found is None for _, found in pairs)
    garbled = sum(found is not None and ":" in text and not truth.is_handed_out(found) for text, found in pairs)
    early = sum(is_recorded_early(row) for row in table.to_pylist())
    counts = {"not an address": texts, "IPv4 garbled as IPv6": garbled, "recorded before it happened": early}
    return {kind: count for kind, count in counts.items() if count}


def is_recorded_early(row: dict[str, Any]) -> bool:
    created, recorded = row["event_creation_time"], row["event_recorded_time"]
    return created is not None and recorded is not None and created - recorded > timedelta(minutes=1)


@pytest.mark.parametrize("case", [case for case in CASES if not case.values[0].is_archive])  # type: ignore[union-attr]
def test_rows_say_where_their_record_stands(case: Case) -> None:
    """source_offset is where the record begins, source_line its line, recovered false."""
    table, _ = read(case)
    if not table.num_rows:
        assert case.truth is None or case.events == 0
        return
    text = unpacked(case.path)
    lines = [record.get("line") for record in truth.records(case.truth)] if case.truth else []
    header_lines = case.name.startswith("csv-azure/")
    for number, row in enumerate(table.to_pylist()):
        offset, line = row["source_offset"], row["source_line"]
        assert row["recovered"] is False
        assert row["source_file"] == str(case.path)
        assert text[offset:].startswith((b"**\0\0", b"<Event>", b"<Event ", b"{", b'"', b"2015 ")), offset
        if text.startswith(b"ElfFile"):
            assert line is None
            continue
        assert line == text[:offset].count(b"\n") + 1
        reported = lines[number] if number < len(lines) else None
        if reported is not None and "mordor" not in case.name:
            assert line == reported + header_lines


def unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        raw = gzip.decompress(raw)
    return raw.decode("utf-16").encode() if raw.startswith(b"\xff\xfe") else raw


def test_time_of_writing_in_sentinels_csv() -> None:
    """The column holds the portal's local time; the event's own, with its zone, stands in EventData."""
    [case] = [case for case in OURS if case.name.startswith("csv-azure/")]
    table, _ = read(case)
    found = [time.isoformat() for time in table["event_recorded_time"].to_pylist()]
    assert found == [
        "2023-11-17T06:02:04.819132+00:00",
        "2023-11-17T06:02:04.819164+00:00",
        "2023-11-17T06:10:10.335493+00:00",
    ]


def test_process_ids_that_only_the_message_holds() -> None:
    """NXLog drops ProcessId where its own field has the same name: all are read from the message text."""
    case = next(case for case in OURS if case.name.startswith("json/mordor/nxlog/covenant_psremoting_grunt"))
    assert case.truth is not None
    dropped = sum("ProcessId" not in record["EventData"] for record in truth.records(case.truth))
    table, _ = read(case)
    ids: list[Any] = table["process_id"].to_pylist()
    assert (dropped, ids.count(None)) == (276, 0)
