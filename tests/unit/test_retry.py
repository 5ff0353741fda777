"""Attempts: as many as allowed, with pauses that grow up to a limit."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from procwire.retry import attempts


@pytest.fixture
def pauses_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, none of which is waited for; each as long as it may be."""
    found: list[float] = []
    # In place of the modules, which other threads share.
    monkeypatch.setattr("procwire.retry.time", SimpleNamespace(sleep=found.append))
    monkeypatch.setattr("procwire.retry.random", SimpleNamespace(uniform=lambda _, most: most))
    return found


def test_the_first_attempt_is_at_once_and_pauses_grow_to_a_limit(pauses_s: list[float]) -> None:
    assert list(attempts(1_000)) == list(range(1_000))
    assert len(pauses_s) == 999
    assert pauses_s == sorted(pauses_s)
    assert (pauses_s[0], pauses_s[1], pauses_s[-1]) == (0.002, 0.004, 0.25)


def test_no_pause_follows_the_attempt_that_succeeds(pauses_s: list[float]) -> None:
    for number in attempts(10):
        if number == 2:
            break
    assert len(pauses_s) == 2
