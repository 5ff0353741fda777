"""The connection that Python gets asks queries, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import procwire
from procwire.errors import LimitError, UsageError
from procwire.hunts import find, load
from procwire.query import Database
from procwire.query.protocol import duckdb_of


@pytest.fixture
def database(example_log: Path) -> Iterator[Database]:
    with procwire.connect(example_log) as connection:
        yield connection


def test_queries_are_asked_in_every_way(database: Database) -> None:
    count = "SELECT count(*) AS n FROM connections WHERE dst_port <> $port"
    [(n,)] = database.sql(count, params={"port": 443}).fetchall()
    assert database.execute(count, {"port": 443}).fetchall() == database.query(count, params={"port": 443}).fetchall()
    assert database.execute(count, {"port": 443}).fetchone() == (n,)
    database.complete()
    assert database.sql(count, params={"port": 443}).to_arrow_table().to_pylist() == [{"n": n}]
    assert database.cursor().sql("SELECT 1").fetchall() == [(1,)]
    assert find("top_talkers", load()).run(database).read_all().num_rows


def test_statements_that_change_something_are_refused(database: Database) -> None:
    for ask in (database.sql, database.query, database.execute, database.cursor().execute):
        for statement in (
            "CREATE TABLE t AS SELECT 1",
            "SELECT 1; SELECT 2",
            "SET threads = 1",
            "DROP VIEW connections",
        ):
            with pytest.raises(UsageError):
                ask(statement)
    with pytest.raises(AttributeError, match="in `duckdb`"):
        database.executemany  # noqa: B018


def test_tables_of_ones_own_are_asked(database: Database) -> None:
    database.register("mine", pa.table({"ip": ["1.2.3.4"]}))
    assert database.sql("FROM mine").fetchall() == [("1.2.3.4",)]
    database.duckdb.execute("CREATE TABLE other AS SELECT 2 AS n")
    assert database.sql("FROM other").fetchall() == [(2,)]


def test_a_variable_of_python_is_no_table(database: Database) -> None:
    mine = pa.table({"secret": [1]})
    with pytest.raises(Exception, match="mine"):
        database.sql("FROM mine").fetchall()
    assert mine.num_rows == 1


def test_limits_are_those_that_were_given(example_log: Path) -> None:
    with procwire.connect(example_log, memory_bytes=200_000_000, spill_bytes=1_000_000, timeout_s=None) as database:
        settings = (
            "SELECT value FROM duckdb_settings() WHERE name IN ('max_execution_time', 'memory_limit') ORDER BY name"
        )
        assert database.duckdb.sql(settings).fetchall() == [("0",), ("190.7 MiB",)]


def test_duckdbs_connection_is_found_in_it(database: Database) -> None:
    assert duckdb_of(database) is database.duckdb is duckdb_of(database.duckdb)
    assert issubclass(LimitError, UsageError)
