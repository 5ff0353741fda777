"""Rows put together: what is remembered from batch to batch changes nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from procwire.sinks.cells import Rows, text


def _starred(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring(texts, "*", "\\*")


def _joined(values: list[str | None]) -> str:
    rows = Rows(len(values))
    rows.cell(pa.array(values, pa.string()), "<", ">", "-", _starred)
    rows.literal("\n")
    return bytes(rows.joined()).decode()


def _expected(values: list[str | None]) -> str:
    return "".join("-\n" if value is None else "<" + value.replace("*", "\\*") + ">\n" for value in values)


def test_escapes_are_the_same_for_one_text_a_few_and_many() -> None:
    constant: list[str | None] = ["*", "*", "*"]
    few: list[str | None] = ["*", None, "", "a*b", "*"]
    many: list[str | None] = [f"*{number}" for number in range(500)]
    cases: list[list[str | None]] = [constant, few, many, [None, None], ["*"]]
    for values in cases:
        assert _joined(values) == _joined(values) == _expected(values)


def test_escapes_stay_right_when_more_are_met_than_are_remembered() -> None:
    for start in range(0, 6_000, 50):
        values: list[str | None] = [f"*{number}" for number in range(start, start + 50)]
        assert _joined(["*0", *values]) == _expected(["*0", *values])


def test_constants_of_each_type_have_the_text_that_varying_ones_have() -> None:
    for kind, one, other in (
        (pa.bool_(), True, False),
        (pa.int32(), 7, 9),
        (pa.binary(), b"\x00\xff", b"\x01\xfe"),
        (pa.string(), "a", "b"),
        (pa.timestamp("us", tz="UTC"), 1_500_000_000_123_456, 1_600_000_000_000_000),
    ):
        texts = []
        for values in ([one, one], [one, other]):
            rows = Rows(2)
            rows.cell(pa.array(values, kind), "", "", "-")
            rows.literal("\n")
            texts.append(bytes(rows.joined()).decode().splitlines()[0])
        assert texts[0] == texts[1]


def _as_cells(times: pa.Array) -> list[str]:
    rows = Rows(len(times))
    rows.cell(times, "", "", "null")
    rows.literal("\n")
    return bytes(rows.joined()).decode().splitlines()


_FEW_MS = [1_523_424_575_394_000 + number % 7 * 1_000 for number in range(40)]


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("s", 1_523_424_575, "2018-04-11T05:29:35"),
        ("ms", 1_523_424_575_000, "2018-04-11T05:29:35.000"),
        ("us", 1_523_424_575_394_000, "2018-04-11T05:29:35.394"),
        ("us", 1_523_424_575_394_001, "2018-04-11T05:29:35.394001"),
        ("us", -1, "1969-12-31T23:59:59.999999"),
        ("ns", 1_523_424_575_394_001_000, "2018-04-11T05:29:35.394001"),
        ("ns", 1_523_424_575_394_001_002, "2018-04-11T05:29:35.394001002"),
    ],
)
def test_a_time_has_a_z_only_where_it_is_known_to_be_utc(unit: str, value: int, expected: str) -> None:
    """A zone's time is converted, a time without a zone is left as it is; neither loses a digit."""
    for zone, after in ((None, ""), ("UTC", "Z"), ("Europe/Berlin", "Z"), ("-03:30", "Z")):
        times = pa.array([value, None], pa.timestamp(unit, zone))
        assert text(times).to_pylist() == [expected + after, None]
        assert _as_cells(times) == [expected + after, "null"]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_one_finer_time_among_many_keeps_its_digits(zone: str | None) -> None:
    times = pa.array([*_FEW_MS, _FEW_MS[0] + 1], pa.timestamp("us", zone))
    whole = pa.array(_FEW_MS, pa.timestamp("us", zone))
    assert _as_cells(times) == text(times).to_pylist()
    assert _as_cells(times)[-1].startswith("2018-04-11T05:29:35.394001")
    assert _as_cells(whole) == text(whole).to_pylist() == _as_cells(times)[:-1]
