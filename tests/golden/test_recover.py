"""What --recover carves out of slack space: on a real log, and on logs made so that all is known."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import truth

import procwire

HEADER, CHUNK, FIRST_RECORD = 4096, 65536, 512
# The chunk with the most events 3.
RAW = truth.EXAMPLE.read_bytes()
START = HEADER + 8 * CHUNK
PLACE = {"source_file", "source_offset", "recovered"}


def record_offsets(chunk: bytes) -> list[int]:
    offsets, at = [], FIRST_RECORD
    while chunk[at : at + 4] == b"**\0\0":
        offsets.append(at)
        at += struct.unpack_from("<I", chunk, at + 4)[0]
    return offsets


def seal(chunk: bytearray, free_space: int) -> bytes:
    """The chunk with its records said to end at `free_space`, and checksums that agree."""
    struct.pack_into("<I", chunk, 48, free_space)
    struct.pack_into("<I", chunk, 52, zlib.crc32(chunk[FIRST_RECORD:free_space]))
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:FIRST_RECORD], zlib.crc32(chunk[:120])))
    return bytes(chunk)


def read(path: Path, chunk: bytes, *, recover: bool) -> tuple[list[truth.Row], Any]:
    path.write_bytes(RAW[:HEADER] + chunk)
    ledger = procwire.Ledger()
    rows = procwire.scan(path, recover=recover, ledger=ledger).read_all().to_pylist()
    return rows, ledger.files[0]


def without_place(rows: list[truth.Row]) -> list[truth.Row]:
    return [{column: value for column, value in row.items() if column not in PLACE} for row in rows]


ORIGINAL = bytearray(RAW[START : START + CHUNK])
RECORDS = record_offsets(bytes(ORIGINAL))
KEPT = 60


def test_rows_recovered_from_the_example_equal_their_live_copies() -> None:
    """The slack of its last chunk holds copies of records that are live in the chunk before: all 14 are equal."""
    rows = procwire.read(truth.EXAMPLE, recover=True).to_pylist()
    live = {row["record_id"]: row for row in rows if not row["recovered"]}
    recovered = [row for row in rows if row["recovered"]]
    assert len(recovered) == 14
    assert {(row["source_offset"] - HEADER) // CHUNK for row in recovered} == {22}
    assert without_place(recovered) == without_place([live[row["record_id"]] for row in recovered])


def test_records_behind_a_stale_end_are_live(tmp_path: Path) -> None:
    """A log copied while in use: records that go on seamlessly behind the header's end are read without recover."""
    whole, account = read(tmp_path / "log.evtx", bytes(ORIGINAL), recover=False)
    stale, stale_account = read(tmp_path / "log.evtx", seal(bytearray(ORIGINAL), RECORDS[KEPT]), recover=False)
    assert stale == whole
    assert (stale_account.records, stale_account.damage) == (account.records, {})


def test_slack_is_carved_and_marked(tmp_path: Path) -> None:
    """The first record behind the end is wiped: those after it are slack, skipped or recovered as requested."""
    whole, account = read(tmp_path / "log.evtx", bytes(ORIGINAL), recover=False)
    chunk = bytearray(ORIGINAL)
    chunk[RECORDS[KEPT] : RECORDS[KEPT] + 8] = bytes(8)
    sealed = seal(chunk, RECORDS[KEPT])
    kept, kept_account = read(tmp_path / "log.evtx", sealed, recover=False)
    assert kept == [row for row in whole if row["source_offset"] < HEADER + RECORDS[KEPT]]
    assert (kept_account.records, kept_account.damage, kept_account.warnings) == (KEPT, {}, {})

    rows, carved = read(tmp_path / "log.evtx", sealed, recover=True)
    wiped = HEADER + RECORDS[KEPT]
    assert without_place(rows) == without_place([row for row in whole if row["source_offset"] != wiped])
    assert [row["recovered"] for row in rows] == [row["source_offset"] > wiped for row in rows]
    assert carved.recovered == len(rows) - len(kept) > 10
    assert carved.records == account.records - 1
    assert (carved.damage, carved.warnings) == ({}, {})


def test_remnants_whose_template_is_overwritten_are_counted_not_invented(tmp_path: Path) -> None:
    """Without its template's definition no event 3 of the slack becomes a row; other events still are seen."""
    whole, _ = read(tmp_path / "log.evtx", bytes(ORIGINAL), recover=False)
    first = next(row["source_offset"] - HEADER for row in whole)
    kept = RECORDS.index(first) + 1
    slack = RECORDS[kept + 1 :]
    events = {row["source_offset"] - HEADER for row in whole} & set(slack)
    chunk = bytearray(ORIGINAL)
    chunk[RECORDS[kept] : RECORDS[kept] + 8] = bytes(8)
    [definition] = network_connection_templates(bytes(chunk))
    assert first < definition < RECORDS[kept]
    chunk[definition + 4 : definition + 8] = b"gone"
    rows, account = read(tmp_path / "log.evtx", seal(chunk, RECORDS[kept]), recover=True)
    assert rows == []
    assert account.recovered == 0
    assert account.warnings["remnant not recoverable"].count == len(events) > 10
    # The record that holds the definition is live, and broken.
    assert (account.damage["broken record"].count, account.damage["broken record"].examples[0].offset) == (
        1,
        HEADER + first,
    )
    assert account.other_events == kept - 1 + len(slack) - len(events)


def test_remnants_with_an_overwritten_name_are_counted_not_invented(tmp_path: Path) -> None:
    """A name whose hash disagrees is none: in slack nothing is taken on trust."""
    whole, _ = read(tmp_path / "log.evtx", bytes(ORIGINAL), recover=False)
    chunk = bytearray(ORIGINAL)
    chunk[RECORDS[KEPT] : RECORDS[KEPT] + 8] = bytes(8)
    name = chunk.index("EventData".encode("utf-16-le"))
    chunk[name : name + 2] = "X".encode("utf-16-le")
    rows, account = read(tmp_path / "log.evtx", seal(chunk, RECORDS[KEPT]), recover=True)
    in_slack = [row for row in whole if row["source_offset"] > HEADER + RECORDS[KEPT]]
    assert not any(row["recovered"] for row in rows)
    assert account.warnings["remnant not recoverable"].count >= len(in_slack) > 10


def network_connection_templates(chunk: bytes) -> list[int]:
    """Offsets of the definitions that name DestinationIp, found through the header's table of templates."""
    found = []
    for bucket in struct.unpack_from("<32I", chunk, 384):
        at = bucket
        while at:
            following, size = struct.unpack_from("<I", chunk, at)[0], struct.unpack_from("<I", chunk, at + 20)[0]
            if "DestinationIp".encode("utf-16-le") in chunk[at + 24 : at + 24 + size]:
                found.append(at)
            at = following
    return found


@pytest.mark.parametrize("zeros", [4, 40, 200, 400])
def test_a_record_that_ends_in_zeros_is_broken_not_half_a_row(zeros: int, tmp_path: Path) -> None:
    """Pages that never reached the disk: no empty names and ports of 0 are made up from them."""
    whole, account = read(tmp_path / "log.evtx", bytes(ORIGINAL), recover=False)
    place = whole[1]["source_offset"]
    end = RECORDS[RECORDS.index(place - HEADER) + 1]
    chunk = bytearray(ORIGINAL)
    chunk[end - zeros : end] = bytes(zeros)
    for recover in (False, True):
        rows, damaged = read(tmp_path / "log.evtx", bytes(chunk), recover=recover)
        assert rows == [row for row in whole if row["source_offset"] != place]
        assert damaged.records == account.records
        assert [example.offset for example in damaged.damage["broken record"].examples] == [place]
        assert damaged.damage["bad checksum"].count == 1
