"""Hold the outcome of many tests as a set of test numbers."""

from __future__ import annotations

__all__ = ["NO_HITS", "Hits"]

Hits = frozenset[int]
"""Numbers of the tests that a value, or an event, fulfils. Small even where the tests are many."""

NO_HITS: Hits = frozenset()
