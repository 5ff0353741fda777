"""Find the combinations of classes that occur in rows, and decide once for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Combination", "Decisions", "combinations"]

# Distinct combinations are counted in numbers below this.
_LARGEST_CODE = 1 << 40
_KNOWN_COMBINATIONS = 1 << 17

Combination = tuple[int, ...]
"""A class of each column, by number."""
Decision = TypeVar("Decision")


class Decisions(Generic[Decision]):
    """Decide about combinations, and remember a bounded number of decisions."""

    def __init__(self, decide: Callable[[Combination], Decision]) -> None:
        self._decide = decide
        self._known: dict[Combination, Decision] = {}

    def of(self, found: Sequence[Combination]) -> list[Decision]:
        """Return the decision about each combination."""
        known = self._known
        if len(known) > _KNOWN_COMBINATIONS:
            known.clear()
        for combination in found:
            if combination not in known:
                known[combination] = self._decide(combination)
        return [known[combination] for combination in found]


def combinations(
    columns: Sequence[tuple[pa.Int64Array, int]], row_count: int
) -> tuple[pa.Int64Array, list[Combination]]:
    """Return the index of each row's combination, and the list of combinations that occur.

    columns: for each column its class numbers, from 0, and their exclusive upper bound.
    """
    codes: pa.Int64Array = pa.repeat(pa.scalar(0, pa.int64()), row_count)
    found: list[Combination] = [()]
    pending: list[int] = []
    for numbers, bound in [*columns, (None, 0)]:
        size = len(found)
        for other in pending:
            size *= other
        if pending and (numbers is None or size * bound > _LARGEST_CODE):
            codes, found = _compact(codes, found, pending)
            pending = []
        if numbers is not None:
            codes = pc.add(pc.multiply(codes, pa.scalar(bound, pa.int64())), numbers)
            pending.append(bound)
    return codes, found


def _compact(
    codes: pa.Int64Array, found: list[Combination], bounds: list[int]
) -> tuple[pa.Int64Array, list[Combination]]:
    """Renumber codes from 0 without gaps, and resolve the factors multiplied in since the last call."""
    encoded = codes.dictionary_encode()
    rest = encoded.dictionary
    digits: list[list[int]] = []
    for bound in reversed(bounds):
        shorter = pc.divide(rest, pa.scalar(bound, pa.int64()))
        digits.insert(0, pc.subtract(rest, pc.multiply(shorter, pa.scalar(bound, pa.int64()))).to_pylist())
        rest = shorter
    occurring = [
        found[place] + numbers for place, numbers in zip(rest.to_pylist(), zip(*digits, strict=True), strict=True)
    ]
    return encoded.indices.cast(pa.int64()), occurring
