"""Hold the outcome of many tests as a set of test numbers."""

from __future__ import annotations

__all__ = ["NO_HITS", "Hits"]

Hits = frozenset[int]
"""Numbers of the tests that a value, or an event, fulfils; few even if there are many tests."""

NO_HITS: Hits = frozenset()
