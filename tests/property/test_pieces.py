"""What an input is, and gives, depends on its bytes, not on how they arrive."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from scanning import example_chunk, ossec_lines

from procwire import _core
from procwire.ledger import FileLedger
from procwire.sources.streams import Pieces, packing_of

CHUNK = example_chunk()
JSON = b'{"EventID":3,"SourceName":"Microsoft-Windows-Sysmon","DestinationIp":"10.0.0.1","ProcessId":7}\n'
# What recognition looks for, and what misleads it.
FRAGMENTS = [
    b"ElfFile\0", b"ElfChnk\0", CHUNK[:4096], CHUNK[4096:], b"\0", b"\n", b" ", b"\n\n", b"<", b"<E", b"<1", b"<13>1 ",
    b"{", b"[", b"[ ", b"[{", b"]", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"<\0E\0", b"\0<\0E", b"<Event>",
    b"line\n", b"li\0ne\n", JSON, ossec_lines(), b"TimeCreated,EventId,Payload\n", b"\x1f\x8b", b"PK\x03\x04", b"BZh",
    b"ustar", bytes(100), b"0000644\0",
]  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    parts = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=8))
    raw = b"".join(parts)
    if draw(st.booleans()):
        # A file whose header is broken, and whose first chunk is not.
        raw = raw[:4096].ljust(4096, draw(st.sampled_from([b"\0", b" ", b"a"]))) + CHUNK[4096:]
    return raw


def fed(raw: bytes, lengths: list[int]) -> FileLedger:
    """In pieces of these lengths, over and over."""
    feeder = _core.Feeder("pieces")
    at, turn = 0, 0
    while at < len(raw):
        length = lengths[turn % len(lengths)]
        feeder.feed(raw[at : at + length])
        at, turn = at + length, turn + 1
    feeder.feed(b"", at_end=True)
    return FileLedger.from_core(feeder.account())


LENGTHS = st.lists(st.integers(16, 5_000), min_size=1, max_size=4)


@given(logs(), LENGTHS)
@settings(max_examples=300, deadline=None)
def test_a_log_is_the_same_in_pieces_as_at_once(raw: bytes, lengths: list[int]) -> None:
    whole, pieces = fed(raw, [max(len(raw), 1)]), fed(raw, lengths)
    assert (pieces.format, pieces.records, pieces.events) == (whole.format, whole.records, whole.events)
    totals = [{kind: tally.count for kind, tally in one.damage.items()} for one in (whole, pieces)]
    assert totals[0] == totals[1]


def test_a_log_without_its_header_is_recognised_byte_by_byte() -> None:
    """Its first line holds NULs: it was recognised as a file, but not through a slow pipe."""
    for start in (b"", b"\0\0\n", b"no head\n"):
        raw = start.ljust(4096, b"\0") + CHUNK[4096:]
        assert fed(raw, [1]) == fed(raw, [len(raw)])
        assert fed(raw, [1]).format == "evtx"


class _Slow:
    def __init__(self, raw: bytes, lengths: list[int]) -> None:
        self._raw, self._lengths, self._turn = raw, lengths, 0

    def read(self, size: int) -> bytes:
        length = min(size, self._lengths[self._turn % len(self._lengths)])
        piece, self._raw = self._raw[:length], self._raw[length:]
        self._turn += 1
        return piece


@given(logs(), st.lists(st.integers(1, 300), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_packing_is_the_same_in_pieces_as_at_once(raw: bytes, lengths: list[int]) -> None:
    """And nothing is lost in looking for it; it is asked for no more bytes than decide it."""
    pieces = Pieces(_Slow(raw, lengths))
    assert pieces.packing() == packing_of(raw, at_end=True)
    assert b"".join(iter(lambda: pieces.read(100), b"")) == raw
    for length in range(min(len(raw), 300)):
        assert packing_of(raw[:length]) in ("unsure", packing_of(raw, at_end=True))
