"""Questions in a thread of their own, which a signal interrupts."""

from __future__ import annotations

import signal
import threading

import pytest

from procwire.cli import asking as asking_module
from procwire.cli.asking import AbandonedError, asking
from procwire.engine import Limits, connect
from procwire.errors import LimitError

# Months of work.
ENDLESS = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b"


def test_each_row_comes_once_and_in_order() -> None:
    with asking(connect()) as asked:
        assert list(asked.each([1, None, 3])) == [1, None, 3]


def test_what_a_question_raises_comes_through() -> None:
    with asking(connect()) as asked, pytest.raises(ZeroDivisionError):
        asked.run(lambda: 1 // 0)


def test_a_signal_ends_a_question_that_looks_for_none() -> None:
    """DuckDB's main thread may be within a part of a query that takes minutes."""
    connection = connect()
    main = threading.get_ident()
    threading.Timer(1, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), asking(connection) as asked:
        asked.run(lambda: connection.sql(ENDLESS).fetchall())
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
    with asking(engine) as asked:  # type: ignore[arg-type]
        assert asked.run(lambda: engine.asked.wait(60))


def test_a_question_that_takes_too_long_is_ended() -> None:
    connection = connect()
    with asking(connection, Limits(timeout_s=0.5)) as asked:
        with pytest.raises(LimitError, match="--timeout"):
            asked.run(lambda: connection.sql(ENDLESS).fetchall())
        assert connection.sql("SELECT 1").fetchall() == [(1,)]


def test_a_question_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect()
    monkeypatch.setattr(asking_module, "_resident_bytes", lambda: 1 << 40)
    with pytest.raises(LimitError, match="--memory"), asking(connection, Limits()) as asked:
        asked.run(lambda: connection.sql(ENDLESS).fetchall())


def test_the_time_that_the_rows_wait_to_be_taken_does_not_count() -> None:
    with asking(connect(), Limits(timeout_s=60)) as asked:
        rows = asked.each(range(3))
        assert next(rows) == 0
        # As much is left as was not spent on asking.
        assert asked._left_s is not None
        assert 0 < 60 - asked._left_s < 60
        left_s = asked._left_s
        assert list(rows) == [1, 2]
        assert asked._left_s <= left_s


def test_what_cannot_be_interrupted_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "_GRACE_S", 0.1)
    ended = threading.Event()
    with pytest.raises(AbandonedError, match="--timeout"), asking(connect(), Limits(timeout_s=0.1)) as asked:
        asked.run(ended.wait)
    ended.set()
