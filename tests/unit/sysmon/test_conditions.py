"""Conditions in plain Python, in SQL, and of many filters at once."""

from __future__ import annotations

import pytest
from table_conditions import CONDITIONS

from procwire.engine import connect, literal
from procwire.matching.folding import fold
from procwire.sysmon import manifest
from procwire.sysmon.conditions import condition_sql, matches, substrings
from procwire.sysmon.config_filter import index_of
from procwire.sysmon.decider import fulfils
from procwire.sysmon.model import Filter, Place


def sql_value(expression: str) -> object:
    with connect(threads=1) as connection:
        [row] = connection.sql(f"SELECT {expression}").fetchall()
    return row[0]


def test_matches() -> None:
    for condition, value, text, expected in CONDITIONS:
        assert matches(condition, value, text) is expected, (condition, value, text)


def test_sql_matches() -> None:
    """All in one question: to begin a connection takes longer than to ask."""
    tests = ", ".join(condition_sql(condition, value, literal(fold(text))) for condition, value, text, _ in CONDITIONS)
    assert sql_value(f"[{tests}]") == [expected for *_, expected in CONDITIONS]


def test_sql_is_null_where_there_is_no_text() -> None:
    tests = ", ".join(condition_sql(condition, "a;b", "NULL::VARCHAR") for condition in manifest.CONDITIONS)
    assert sql_value(f"[{tests}]") == [None] * len(manifest.CONDITIONS)


def test_answers_of_all_conditions_at_once() -> None:
    """Each filter answers as its own condition does, whatever the others are."""
    filters = [Filter("Image", condition, value, "", Place(1, 1)) for condition, value, *_ in CONDITIONS]
    index = index_of([(filter_, number) for number, filter_ in enumerate(filters)])
    for text in sorted({text for _, _, text, _ in CONDITIONS}):
        found = index(text)
        for number, filter_ in enumerate(filters):
            assert fulfils(found, filter_, number) == matches(filter_.condition, filter_.value, text), (filter_, text)


def test_every_condition_is_in_the_table_both_ways() -> None:
    assert {(condition, expected) for condition, _, _, expected in CONDITIONS} == {
        (condition, expected) for condition in manifest.CONDITIONS for expected in (True, False)
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", ["a"]),
        ("a;b", ["a", "b"]),
        ("", [""]),
        ("a;", ["a", ""]),
        (";a;b", [";a;b", "a", "b"]),
        ("a;;b", ["a", ";b", "b"]),
        (";;", [";;", ";", ""]),
    ],
)
def test_substrings_of_a_list(value: str, expected: list[str]) -> None:
    """An empty token becomes the rest of the list; at its end, nothing, which is everywhere."""
    assert substrings(value) == expected


def test_literals_are_one_line_and_what_they_say() -> None:
    for text in ("", "it's", "a\nb", "\\", "\\n", "'\n\\'\r\t", "E'x'", '"', "é😀\u2028"):
        assert "\n" not in literal(text)
        assert sql_value(literal(text)) == text
