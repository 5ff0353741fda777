"""Whatever the bytes: batches or a clear error, a ledger that adds up, never an exception or a hang.

`scanning.scan` asserts all of that. Mutated real logs reach further into the readers than random bytes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scanning import FORMATS, MORE_SAMPLES, SAMPLES, check, scan

from procwire import _core
from procwire.event import SCHEMA
from procwire.ledger import FileLedger

ALL = SAMPLES | MORE_SAMPLES
settings.register_profile(
    "procwire", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow]
)
settings.load_profile("procwire")

formats = st.sampled_from((None, *FORMATS))
names = st.sampled_from(sorted(ALL))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real log after a few mishaps: flipped bits, wiped or doubled or missing or swapped stretches, splices."""
    raw = bytearray(ALL[draw(names)])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        length = draw(st.integers(1, 64) | st.integers(1, 4096))
        match draw(st.sampled_from(("flip", "wipe", "cut", "double", "write", "number", "splice"))):
            case "flip" if raw:
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case "wipe":
                raw[at : at + length] = bytes(len(raw[at : at + length]))
            case "cut":
                del raw[at : at + length]
            case "double":
                raw[at:at] = raw[at : at + length]
            case "write":
                written = draw(st.binary(min_size=1, max_size=16))
                raw[at : at + len(written)] = written
            case "number":
                # Where a length or an offset stands, these hurt most.
                raw[at : at + 4] = draw(st.sampled_from((0, 1, 27, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))).to_bytes(
                    4, "little"
                )
            case "splice":
                other = ALL[draw(names)]
                start = draw(st.integers(0, len(other) - 1))
                raw[at:at] = other[start : start + length]
    return bytes(raw)


@given(raw=st.binary(max_size=2048), format=formats, recover=st.booleans())
def test_random_bytes(raw: bytes, format: str | None, recover: bool) -> None:
    scan(raw, format=format, recover=recover)


@given(text=st.text(alphabet="<>/&;\"'{}[]:,\\ \n\t=!-?EventDataSysm3utpé", max_size=400), format=formats)
def test_random_markup(text: str, format: str | None) -> None:
    scan(text.encode(), format=format)


@settings(max_examples=300)
@given(raw=mutated(), format=formats, recover=st.booleans())
def test_mutated_logs(raw: bytes, format: str | None, recover: bool) -> None:
    scan(raw, format=format, recover=recover)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", sorted(ALL))
def test_a_log_read_as_any_format(name: str, format: str) -> None:
    """With the wrong format, a reader may find nothing; it does not fail."""
    scan(ALL[name], format=format)


@pytest.mark.parametrize("name", sorted(ALL))
def test_recognised_and_named_formats_read_the_same(name: str) -> None:
    table, account = scan(ALL[name])
    named, named_account = scan(ALL[name], format=account.format)
    assert table.num_rows > 0
    assert (named, named_account) == (table, account)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_make_no_difference(threads: int) -> None:
    """Compare rows, their order and the ledger."""
    raw = b"".join(SAMPLES["json"] for _ in range(600))
    assert len(raw) > 2 << 20
    assert scan(raw, threads=threads) == scan(raw)


def fed(raw: bytes, cuts: list[int], format: str | None) -> tuple[pa.Table, FileLedger]:
    feeder = _core.Feeder("bytes", format=format)
    batches = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        batches += feeder.feed(raw[start:end], at_end=end == len(raw) and start == (cuts[-1] if cuts else 0))
    table = pa.Table.from_batches([pa.record_batch(batch) for batch in batches], SCHEMA)
    account = FileLedger.from_core(feeder.account())
    check(table, account)
    return table, account


def without_words(account: FileLedger) -> dict[str, Any]:
    """What a broken record ended at may be the block's end or the next record; and only the scanner says that a log
    was not recognised."""
    plain = asdict(account) | {"error": None}
    for tallies in (plain["damage"], plain["warnings"]):
        for tally in tallies.values():
            tally["examples"] = [(place["offset"], place["line"]) for place in tally["examples"]]
    return plain


@settings(max_examples=120)
@given(raw=st.sampled_from([ALL[name] for name in sorted(ALL)]) | mutated(), data=st.data())
def test_pieces_equal_the_whole(raw: bytes, data: st.DataObject) -> None:
    """Fed in any pieces, a log gives the rows, and the ledger, that it gives at once."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    table, account = scan(raw)
    pieces, pieces_account = fed(raw, cuts, None)
    assert pieces == table
    assert without_words(pieces_account) == without_words(account)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"evtx", "evtx rdp"}))
def test_bytes_one_by_one_equal_the_whole(name: str) -> None:
    raw = ALL[name][:3_000]
    table, account = scan(raw)
    pieces, pieces_account = fed(raw, list(range(1, len(raw))), None)
    assert pieces == table
    assert without_words(pieces_account) == without_words(account)
