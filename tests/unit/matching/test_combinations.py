"""Combinations of classes that occur in rows, and decisions about them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from procwire.matching import combinations as module
from procwire.matching.combinations import Combination, Decisions, combinations


def test_combinations_are_those_that_occur() -> None:
    first, second = pa.array([2, 0, 2, 1], pa.int64()), pa.array([1, 1, 1, 0], pa.int64())
    codes, found = combinations([(first, 3), (second, 2)], 4)
    assert [found[code] for code in codes.to_pylist()] == [(2, 1), (0, 1), (2, 1), (1, 0)]
    assert len(found) == 3
    codes, found = combinations([], 2)
    assert (codes.to_pylist(), found) == ([0, 0], [()])


def test_each_combination_is_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it is remembered; memory is bounded."""
    monkeypatch.setattr(module, "_KNOWN_COMBINATIONS", 2)
    asked: list[Combination] = []

    def decide(combination: Combination) -> int:
        asked.append(combination)
        return sum(combination)

    decisions = Decisions(decide)
    assert decisions.of([(1, 2), (3, 4), (1, 2)]) == [3, 7, 3]
    assert decisions.of([(3, 4), (5, 6)]) == [7, 11]
    assert asked == [(1, 2), (3, 4), (5, 6)]
    assert decisions.of([(5, 6)]) == [11]
    assert asked == [(1, 2), (3, 4), (5, 6), (5, 6)]
