"""A log that is cut off anywhere loses only what was cut, and says so."""

from __future__ import annotations

import struct
from itertools import pairwise

import pyarrow as pa
import pytest
from scanning import SAMPLES, example_chunk, feed, scan

from procwire.ledger import FileLedger

EVTX_HEADER, EVTX_FIRST_RECORD = 4096, 512
# Prime, so that every residue of the structures' alignments is met.
STRIDE = 89


def is_prefix(part: pa.Table, whole: pa.Table) -> bool:
    return bool(part.equals(whole.slice(0, part.num_rows)))


def says_so(account: FileLedger) -> bool:
    return bool(account.damage) or account.error is not None


def evtx_offsets(raw: bytes) -> list[int]:
    """Ends of the records in the only chunk."""
    ends, at = [], EVTX_HEADER + EVTX_FIRST_RECORD
    while raw[at : at + 4] == b"**\0\0":
        at += struct.unpack_from("<I", raw, at + 4)[0]
        ends.append(at)
    return ends


def test_evtx_cut_anywhere_gives_every_whole_record() -> None:
    """At a prime stride, around every structure's boundary, and at each byte of one record."""
    raw = example_chunk()
    whole, _ = scan(raw)
    ends = evtx_offsets(raw)
    starts = whole["source_offset"].to_pylist()
    boundaries = {EVTX_HEADER, EVTX_HEADER + 8, EVTX_HEADER + 128, EVTX_HEADER + EVTX_FIRST_RECORD, *ends}
    cuts = {edge + step for edge in boundaries for step in (-1, 0, 1)} | set(range(1, len(raw), STRIDE))
    cuts |= set(range(starts[1], starts[2]))
    for cut in sorted(cuts):
        part, account = feed(raw[:cut], format="evtx")
        records = sum(end <= cut for end in ends)
        rows = sum(
            start in starts and end <= cut
            for start, end in zip([EVTX_HEADER + EVTX_FIRST_RECORD, *ends], ends, strict=False)
        )
        assert is_prefix(part, whole), cut
        assert (account.records, part.num_rows) == (records, rows), cut
        # A log of complete chunks is complete.
        assert says_so(account) == (cut != EVTX_HEADER), cut


@pytest.mark.parametrize(("format", "mark"), [("xml", b"</Event>"), ("json", b"}")])
def test_text_cut_anywhere_gives_every_whole_record(format: str, mark: bytes) -> None:
    """At every offset: the records that end before it, and damage if one lies across it."""
    raw = SAMPLES[format]
    whole, _ = scan(raw)
    starts = whole["source_offset"].to_pylist()
    assert len(starts) > 2
    ends = [raw.rindex(mark, at, after) + len(mark) for at, after in pairwise([*starts, len(raw)])]
    for cut in range(len(raw)):
        part, account = feed(raw[:cut], format=format)
        assert is_prefix(part, whole), cut
        assert part.num_rows == sum(end <= cut for end in ends), cut
        # A few bytes of its tag do not make an event yet.
        enough = len("<Event ") if format == "xml" else 1
        begun = sum(start + enough <= cut for start in starts)
        assert bool(account.damage) == (begun > part.num_rows), cut


def test_csv_cut_anywhere_gives_every_whole_row() -> None:
    """A row that lacks fields is broken; one that lacks only its end's line feed is complete."""
    raw = b"".join(SAMPLES["csv"].splitlines(keepends=True)[:3])
    whole, _ = scan(raw)
    starts = whole["source_offset"].to_pylist()
    ends = [*starts[1:], len(raw)]
    assert len(starts) == 2
    for cut in range(len(raw)):
        part, account = feed(raw[:cut], format="csv")
        assert is_prefix(part, whole), cut
        assert sum(end <= cut for end in ends) <= part.num_rows <= sum(start < cut for start in starts), cut
        assert account.records == sum(start < cut for start in starts), cut


def test_lines_of_text_cut_anywhere_give_no_half_row() -> None:
    """A message that ends before its last field's name is broken; a cut behind that cannot be seen."""
    raw = SAMPLES["text"]
    whole, _ = scan(raw)
    lines = raw.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    assert whole["source_offset"].to_pylist() == [starts[0], starts[2], starts[3]]
    head, name = len("2015 Nov 19 20:33:25 WinEvtLog: "), b"DestinationPortName:"
    for cut in range(len(raw)):
        part, account = feed(raw[:cut], format="text")
        named = sum(raw.index(name, start) + len(name) <= cut for start in starts)
        assert part.num_rows == named - (named > 1), cut
        ended = part.num_rows - (named > 0 and raw[cut - 1 : cut] != b"\n" and raw[:cut].count(b"\n") < named)
        assert is_prefix(part.slice(0, ended), whole), cut
        begun = sum(start + head < cut for start in starts)
        assert account.records == begun, cut
        # The second line is of another event, which says nothing of its message.
        assert ("broken record" in account.damage) == (begun > named and (begun != 2 or account.other_events == 0)), cut
