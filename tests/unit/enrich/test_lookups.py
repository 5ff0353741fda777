"""The cache in front of slow questions: bounded, and never in the way."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from procwire.enrich import lookups as module
from procwire.enrich.lookups import Answer, Lookups

LONG_S = 60.0


class Slow:
    """Answer when the test says so."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def __call__(self, key: str) -> Answer[str]:
        self.asked.append(key)
        assert self.go.wait(LONG_S)
        return Answer(key.upper(), LONG_S)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, to be set."""
    now_s = [1_000.0]
    monkeypatch.setattr("procwire.enrich.lookups.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


def test_what_is_not_known_is_none_and_known_later() -> None:
    slow = Slow()
    lookups = Lookups(slow, threads=1)
    assert lookups.look_up(["a", None, "b", "a"]) == [None, None, None, None]
    slow.go.set()
    assert lookups.look_up(["a", None, "b"], LONG_S) == ["A", None, "B"]
    assert lookups.look_up(["b", "a"]) == ["B", "A"]
    assert (slow.asked, lookups.asked, lookups.answered) == (["a", "b"], 2, 2)
    lookups.close()


def test_a_question_is_asked_once_while_it_is_under_way_and_too_many_are_dropped() -> None:
    slow = Slow()
    lookups = Lookups(slow, threads=2, waiting_limit=3)
    for _ in range(5):
        assert lookups.look_up(list("abcde")) == [None] * 5
    assert (lookups.asked, lookups.dropped) == (3, 10)
    slow.go.set()
    assert lookups.look_up(list("abc"), LONG_S) == list("ABC")
    assert lookups.look_up(["d"], LONG_S) == ["D"]
    lookups.close()


def test_one_user_s_many_questions_keep_nobody_else_s_out() -> None:
    slow = Slow()
    lookups = Lookups(slow, threads=1, waiting_limit=8)
    many = [f"a{number}" for number in range(100)]
    lookups.look_up(many, holder_of=lambda _: 1000)
    assert (lookups.asked, lookups.dropped) == (8, 92)
    assert lookups.look_up(["b0", "b1"], holder_of=lambda _: 1001) == [None, None]
    assert lookups.awaits(["b0"])
    assert lookups.awaits(["b1"])
    # Two of the other's made place.
    assert (lookups.asked, lookups.dropped) == (8, 94)
    slow.go.set()
    assert lookups.look_up(["b0", "b1"], LONG_S) == ["B0", "B1"]
    assert slow.asked.index("b0") <= 2
    lookups.close()


def test_the_wait_ends_in_time_without_an_answer() -> None:
    slow = Slow()
    lookups = Lookups(slow, threads=1)
    assert lookups.look_up(["a"], 0.01) == [None]
    assert lookups.awaits(["a"])
    slow.go.set()
    lookups.close()


def test_an_answer_runs_out_but_stands_until_there_is_another(clock: list[float]) -> None:
    answers = iter([Answer("one", 60.0), Answer("two", 60.0), Answer(None, 60.0)])
    lookups: Lookups[str, str] = Lookups(lambda _: next(answers), threads=1)
    # Only an answer itself ends the wait here, for the clock stands.
    assert lookups.look_up(["a"], LONG_S) == ["one"]
    clock[0] += 59.0
    assert lookups.look_up(["a"]) == ["one"]
    clock[0] += 1.0
    assert lookups.look_up(["a"]) in (["one"], ["two"])
    assert lookups.look_up(["a"], LONG_S) == ["two"]
    clock[0] += 60.0
    assert lookups.look_up(["a"], LONG_S) == [None]
    assert lookups.asked == 3
    lookups.close()


def test_an_answer_long_run_out_is_none(clock: list[float]) -> None:
    slow = Slow()
    slow.go.set()
    lookups = Lookups(slow, threads=1)
    assert lookups.look_up(["a"], LONG_S) == ["A"]
    slow.go.clear()
    clock[0] += LONG_S + module._STALE_S
    assert lookups.look_up(["a"]) == [None]
    slow.go.set()
    lookups.close()


def test_an_error_is_counted_and_the_thread_lives_on(clock: list[float]) -> None:
    def resolve(key: str) -> Answer[str]:
        if key == "bad":
            raise ZeroDivisionError
        return Answer(key, LONG_S)

    lookups = Lookups(resolve, threads=1)
    assert lookups.look_up(["bad", "good"], LONG_S) == [None, "good"]
    assert lookups.look_up(["bad"]) == [None]
    assert (lookups.failed, lookups.asked) == (1, 2)
    clock[0] += module._FAILURE_KEPT_S
    lookups.look_up(["bad"])
    assert lookups.asked == 3
    lookups.close()


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    lookups: Lookups[int, int] = Lookups(
        lambda _: Answer(None, 0), at_sight=lambda key: Answer(key, LONG_S), threads=1, size=100
    )
    for key in range(1_000):
        assert lookups.look_up([-1, key]) == [-1, key]
        assert len(lookups._young) <= 50
        assert len(lookups._old) <= 50
    assert -1 in lookups._young
    assert (lookups.asked, lookups._threads) == (0, [])


def test_after_the_end_nothing_is_asked() -> None:
    slow = Slow()
    lookups = Lookups(slow, threads=1)
    lookups.look_up(["a", "b"])
    lookups.close()
    slow.go.set()
    [thread] = lookups._threads
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert slow.asked == ["a"]
    assert lookups.look_up(["c"]) == [None]
    assert lookups.asked == 2
