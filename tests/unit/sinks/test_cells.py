"""Rows put together: what is remembered from batch to batch changes nothing."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sinks.cells import Rows


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
