"""Decisions from the numbers of fulfilled tests."""

from __future__ import annotations

from itertools import combinations, product

from procwire.matching.deciders import all_of, any_of, first_of

NUMBERS = range(4)
SUBSETS = [frozenset(some) for size in range(5) for some in combinations(NUMBERS, size)]


def test_all_any_and_first_are_what_each_number_says() -> None:
    """A positive number must be there, a negative one must not: for every choice of them, and every event."""
    for positive, negative, hits in product(SUBSETS, SUBSETS, SUBSETS):
        met = [(number, number in hits) for number in positive] + [(n, n not in hits) for n in negative]
        assert all_of(positive, negative)(hits) is all(is_met for _, is_met in met)
        assert any_of(positive, negative)(hits) is any(is_met for _, is_met in met)
        assert first_of(positive, negative)(hits) == min((number for number, is_met in met if is_met), default=None)


def test_others_are_asked_too() -> None:
    for answers in product((True, False), repeat=2):
        others = [lambda _, answer=answer: answer for answer in answers]
        for positive, negative, hits in product(SUBSETS[:6], SUBSETS[:6], SUBSETS):
            expected = all_of(positive, negative)(hits) and all(answers)
            assert all_of(positive, negative, others)(hits) is expected
            expected = any_of(positive, negative)(hits) or any(answers)
            assert any_of(positive, negative, others)(hits) is expected
