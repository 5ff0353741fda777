"""Questions in a thread of their own, which a signal interrupts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from procwire.engine import Limits, connect
from procwire.errors import LimitError
from procwire.query import QueryRunner
from procwire.query import runner as runner_module
from procwire.query.protocol import OnProgress
from procwire.query.runner import AbandonedError

# Months of work.
ENDLESS = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b"


def test_each_row_comes_once_and_in_order() -> None:
    assert list(QueryRunner(connect()).each([1, None, 3])) == [1, None, 3]


def test_what_a_question_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        QueryRunner(connect()).run(lambda: 1 // 0)


def test_a_signal_ends_a_question_that_looks_for_none() -> None:
    """DuckDB's main thread may be within a part of a query that takes minutes."""
    connection = connect()
    main = threading.get_ident()
    threading.Timer(1, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        QueryRunner(connection).run(lambda: connection.sql(ENDLESS).fetchall())
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


class Telling:
    """An engine that is half done, and asked how far it is."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def query_progress(self) -> float:
        self.asked.set()
        return 50.0

    def interrupt(self) -> None:
        raise AssertionError("found an interruption, expected none")

    def sql(self, query: str, *, params: object = None) -> object:
        raise AssertionError((query, params))


def test_an_engine_is_asked_how_far_it_is() -> None:
    engine = Telling()
    runner = QueryRunner(engine)  # type: ignore[arg-type]
    assert runner.run(lambda: engine.asked.wait(60))


def test_a_question_that_takes_too_long_is_ended() -> None:
    connection = connect()
    runner = QueryRunner(connection, Limits(timeout_s=0.5))
    with pytest.raises(LimitError, match="--timeout"):
        runner.run(lambda: connection.sql(ENDLESS).fetchall())
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_a_question_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect()
    monkeypatch.setattr(runner_module, "_resident_bytes", lambda: 1 << 40)
    with pytest.raises(LimitError, match="--memory"):
        QueryRunner(connection, Limits()).run(lambda: connection.sql(ENDLESS).fetchall())


def test_the_time_that_the_rows_wait_to_be_taken_does_not_count() -> None:
    runner = QueryRunner(connect(), Limits(timeout_s=60))
    rows = runner.each(range(3))
    assert next(rows) == 0
    # As much is left as was not spent on asking.
    assert runner._left_s is not None
    assert 0 < 60 - runner._left_s < 60
    left_s = runner._left_s
    assert list(rows) == [1, 2]
    assert runner._left_s <= left_s


def test_what_cannot_be_interrupted_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_GRACE_S", 0.1)
    ended = threading.Event()
    with pytest.raises(AbandonedError, match="--timeout"):
        QueryRunner(connect(), Limits(timeout_s=0.1)).run(ended.wait)
    ended.set()


def test_progress_is_shown_while_a_question_runs() -> None:
    """What shows it is entered before the question and left before its rows are taken."""
    engine, reported, shown = Telling(), [], []

    @contextmanager
    def progress(unit: str) -> Iterator[OnProgress]:
        shown.append(f"begin {unit}")
        yield lambda done, total: reported.append((done, total))
        shown.append("end")

    runner = QueryRunner(engine, progress=progress)  # type: ignore[arg-type]
    assert runner.run(lambda: engine.asked.wait(60))
    assert shown == ["begin %", "end"]
    assert set(reported) == {(50, 100)}


def test_rows_of_a_question_have_their_schema_before_they_are_read() -> None:
    connection = connect()
    rows = QueryRunner(connection).ask(lambda: connection.sql("SELECT 1 AS one UNION ALL SELECT 2").to_arrow_reader())
    assert rows.schema.names == ["one"]
    assert sorted(rows.read_all()["one"].to_pylist()) == [1, 2]
    assert list(rows) == []
