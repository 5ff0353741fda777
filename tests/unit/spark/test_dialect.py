"""What DuckDB's SQL becomes for Spark, where a cluster is not needed to tell; tests/conformance runs it on one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

pytest.importorskip("sqlglot", reason="found no sqlglot, which comes with the extra spark")

from procwire.errors import UsageError
from procwire.hunts import Hunt, load
from procwire.spark.dialect import to_spark
from procwire.spark.regex import java_pattern, java_replacement


def spark(expression: str, **parameters: object) -> str:
    return to_spark(f"SELECT {expression}", parameters).removeprefix("SELECT ")


@pytest.mark.parametrize(
    ("duckdb", "expected"),
    [
        ("a / 2", "(CAST(a AS DOUBLE) / CAST(2 AS DOUBLE))"),
        ("round(a, 2)", "(ROUND((a) * 1e2) / 1e2)"),
        ("to_timestamp(a)", "TIMESTAMP_SECONDS(a)"),
        ("strftime(a, '%H:%M:%S.%g')", "DATE_FORMAT(a, 'HH:mm:ss.SSS')"),
        ("strftime(a, 'T%d')", "DATE_FORMAT(a, '\\'T\\'dd')"),
        ("date_diff('microsecond', a, b)", "(UNIX_MICROS(b) - UNIX_MICROS(a))"),
        ("quantile_cont(a, 0.5)", "PERCENTILE(a, 0.5)"),
        ("min_by(a, b)", "MIN_BY(a, b) FILTER(WHERE NOT a IS NULL)"),
        ("list(a)", "NULLIF((COLLECT_LIST(NAMED_STRUCT('item', a))).item, ARRAY())"),
        ("a[1]", "GET(a, 0)"),
        ("hash(a, b)", "XXHASH64(a, b)"),
        ("a LIKE '%\\x'", "a LIKE '%\\\\\\\\x'"),
        ("E'a\\nb'", "'a\\nb'"),
    ],
)
def test_expression(duckdb: str, expected: str) -> None:
    """Where names or meanings differ."""
    assert spark(duckdb) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "(NULL)"),
        (True, "(TRUE)"),
        (-3, "(-3)"),
        (0.05, "(0.05e0)"),
        (1e-07, "(1e-07)"),
        ("it's a \\", "('it\\'s a \\\\')"),
        ([1, 2], "ARRAY((1), (2))"),
        (datetime(2024, 5, 1, 12, tzinfo=UTC), "CAST('2024-05-01 12:00:00+00:00' AS TIMESTAMP)"),
    ],
)
def test_value_of_a_parameter(value: object, expected: str) -> None:
    """It stands in the text, and cannot be more than a value."""
    assert spark("$value", value=value) == expected


@pytest.mark.parametrize(
    ("query", "reported"),
    [
        ("SELECT $nme", r"found \$nme, which has no value; did you mean \$name\?"),
        ("SELECT 1; SELECT 2", "found 2 statements, expected one"),
        ("", "found 0 statements, expected one"),
        ("DELETE FROM connections", "found DELETE, expected a query"),
        ("SELECT * REPLACE (1 AS a) FROM connections", r"found \* REPLACE"),
        ("SELECT (", "line 1"),
        ("SELECT strftime(a, '%U')", "found %U in strftime"),
        ("SELECT date_diff('year', a, b)", "expected microsecond"),
        ("SELECT regexp_matches(a, b)", "found b as a regular expression, expected a text"),
        ("SELECT ip_in(dst_ip)", "found ip_in with 1 argument"),
        ("SELECT list(a ORDER BY b)", "found ORDER BY in a list"),
    ],
)
def test_what_cannot_be_asked_is_reported_in_a_line(query: str, reported: str) -> None:
    with pytest.raises(UsageError, match=reported) as caught:
        to_spark(query, {"name": 1})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hunt", load(), ids=lambda hunt: hunt.name)
def test_every_hunt_has_a_counterpart(hunt: Hunt) -> None:
    """With all of its parameters in it."""
    text = to_spark(hunt.sql, {parameter.name: parameter.default for parameter in hunt.parameters})
    assert not re.search(r"[$:][a-z_]", text)


def test_what_is_used_twice_and_costs_is_computed_once() -> None:
    """A table of groups is; one of rows, which would have to be moved about, is not; nor one that is used once."""
    text = to_spark(
        "WITH rows AS (SELECT a FROM t), sums AS (SELECT a, count(*) AS n FROM rows GROUP BY a),"
        " alone AS (SELECT max(n) AS n FROM sums)"
        " SELECT * FROM sums JOIN alone USING (n) JOIN rows USING (a) JOIN rows AS again USING (a)"
    )
    assert text.count("RAND()") == 1
    assert "(SELECT *, RAND() AS once FROM (SELECT a, COUNT(*) AS n FROM rows GROUP BY a) AS named)" in text


@pytest.mark.parametrize(
    ("pattern", "options", "expected"),
    [
        ("a$", "", r"(?du)a\z"),
        (r"a\$[$]", "", r"(?du)a\$[$]"),
        (r"\s", "i", r"(?du)(?i)[\t\n\f\r ]"),
        ("[[]", "", r"(?du)[\[]"),
    ],
)
def test_pattern(pattern: str, options: str, expected: str) -> None:
    assert java_pattern(pattern, options) == expected


def test_replacement() -> None:
    assert java_replacement(r"\1$\\") == r"$1\$\\"


@pytest.mark.parametrize(
    "query",
    [
        'SELECT * FROM text."/etc/passwd"',
        "SELECT * FROM spark_catalog.default.connections",
        "WITH x AS (INSERT INTO connections VALUES (1) RETURNING *) FROM x",
        "SELECT reflect('java.lang.System', 'exit', 0)",
        "SELECT JAVA_METHOD('java.lang.System', 'getenv', 'HOME') FROM connections",
        "SELECT getenv('HOME')",
        "SELECT 1 INTO x",
        "DROP VIEW connections",
    ],
)
def test_a_query_reads_views_and_calls_no_java(query: str) -> None:
    with pytest.raises(UsageError):
        to_spark(query)
