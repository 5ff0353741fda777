"""Compute pseudo-random numbers from keys: a machine's day depends on the seed, not on the order of calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Integers", "heavy_tailed", "pick", "uniform"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Whole = int | NDArray[Any]

_STEP = np.uint64(0x9E3779B97F4A7C15)


def uniform(*keys: Whole) -> Floats:
    """Return numbers in 0..1, the same for the same keys (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = np.zeros(1, np.uint64)
        for key in keys:
            mixed = _mixed(mixed + np.asarray(key).astype(np.uint64) + _STEP)
        return np.asarray(mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def pick(choices: Integers, *keys: Whole) -> Integers:
    """Return one of `choices`, the same for the same keys."""
    return np.asarray(choices[(uniform(*keys) * len(choices)).astype(np.int64)])


def heavy_tailed(share: Floats, count: int) -> Integers:
    """Return ranks 0..count-1 for uniform shares: the first is the most frequent, the last rare (Zipf, exponent 1)."""
    return np.minimum((np.power(float(count), share) - 1).astype(np.int64), count - 1)
