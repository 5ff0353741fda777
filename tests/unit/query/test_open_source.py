"""Opening what is to be queried: contradictions are refused at once, and what was opened is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from procwire.engine import connect
from procwire.errors import InputError, UsageError
from procwire.query import QuerySource, open_source
from procwire.query.statement import checked_query, read_query
from procwire.sources.limits import UnpackLimits

NOON, LATER = datetime(2024, 3, 1, 12, tzinfo=UTC), datetime(2024, 3, 1, 13, tzinfo=UTC)


class Cluster:
    """An engine that keeps what it is asked for, and answers as DuckDB does."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.closed = False

    @contextmanager
    def connect(self, lake: object, **asked: object) -> Iterator[duckdb.DuckDBPyConnection]:
        self.asked = {"lake": lake, **asked}
        yield connect()
        self.closed = True


CONTRADICTIONS = {
    "found logs and lake, expected one of them": {"logs": ["a"], "lake": "b"},
    "found logs and engine, expected a lake": {"logs": ["a"], "engine": Cluster()},
    "found unpack, expected logs with it": {"unpack": UnpackLimits()},
    "found spill_bytes and engine, which has no such limit": {"spill_bytes": 1, "engine": Cluster()},
    "found until .*, expected a time after since": {"since": LATER, "until": NOON},
}


@pytest.mark.parametrize("text", CONTRADICTIONS)
def test_a_contradiction_is_refused_before_anything_is_opened(text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}"):
        open_source(QuerySource(**CONTRADICTIONS[text]))  # type: ignore[arg-type]


def test_a_contradiction_is_named_as_the_user_knows_it() -> None:
    names = {"logs": "--files", "lake": "--lake"}
    with pytest.raises(UsageError, match=r"^found --files and --lake, expected one of them$"):
        open_source(QuerySource(["a"], "b"), names=names)


def test_logs_have_a_ledger_and_a_lake_has_none(example_log: Path) -> None:
    with open_source(QuerySource([example_log])) as source:
        rows = source.sql("SELECT count(*) AS n FROM connections").read_all()
        assert rows.to_pylist() == [{"n": 153}]
        assert source.ledger is not None
        assert source.ledger.by_event["connection"] == 153
        source.check_read()
    with pytest.raises(duckdb.ConnectionException):
        source.connection.sql("SELECT 1").to_arrow_reader()


def test_logs_that_cannot_be_read_open_without_rows(tmp_path: Path) -> None:
    with open_source(QuerySource([tmp_path / "missing"])) as source:
        assert source.nothing_read
        with pytest.raises(InputError, match="missing: No such file"):
            source.check_read()


def test_another_engine_gets_the_period_and_the_memory() -> None:
    cluster = Cluster()
    source = QuerySource(lake="l", since=NOON, until=LATER, engine=cluster, memory_bytes=1 << 30)
    with open_source(source) as opened:
        assert opened.sql("SELECT 1 AS one").read_all().to_pylist() == [{"one": 1}]
        assert (opened.ledger, opened.nothing_read, cluster.closed) == (None, False, False)
    assert cluster.asked == {"lake": "l", "since": NOON, "until": LATER, "memory_bytes": 1 << 30}
    assert cluster.closed


def test_reading_and_asking_show_their_progress(example_log: Path) -> None:
    shown: list[str] = []

    @contextmanager
    def progress(unit: str) -> Iterator[None]:
        shown.append(unit)
        yield None

    with open_source(QuerySource([example_log]), progress=progress) as source:
        assert shown == ["bytes"]
        source.sql("SELECT 1").read_all()
        assert set(shown[1:]) == {"%"}


def test_what_goes_wrong_in_sql_is_an_error_of_ours(example_log: Path) -> None:
    with pytest.raises(UsageError, match="no_such"), open_source(QuerySource([example_log])) as source:
        source.sql("SELECT no_such FROM connections").read_all()


def test_a_query_of_a_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "query.sql"
    path.write_text("SELECT 1")
    assert read_query(path) == "SELECT 1"
    with path.open() as lines:
        assert read_query(lines) == "SELECT 1"
    for text in ("", " \n", "SELECT 1; SELECT 2", "DROP TABLE connections"):
        with pytest.raises(UsageError):
            checked_query(text)
    with pytest.raises(UsageError, match="cannot read"):
        read_query(tmp_path / "missing.sql")
    path.write_text("-- " + "x" * (1 << 20))
    with pytest.raises(UsageError, match="bytes, expected"):
        read_query(path)
