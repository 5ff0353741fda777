"""Score a beacon, step by step in plain Python: the slow reference of the SQL.

Written from the description of RITA's scores, for one pair of process and destination in one window.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Scores", "scores"]

BARS = 24


@dataclass(frozen=True)
class Scores:
    """Hold the scores, each 0..1."""

    timing: float
    histogram: float
    duration: float
    size: float | None

    @property
    def beacon(self) -> float:
        """Return the mean of the scores."""
        known = [score for score in (self.timing, self.histogram, self.duration, self.size) if score is not None]
        return sum(known) / len(known)


def scores(times_s: Sequence[float], window_s: float, sizes: Sequence[int] = ()) -> Scores | None:
    """Return the scores of connections at times since the window's start; None for too few."""
    times = sorted(times_s)
    intervals = [later - earlier for earlier, later in pairwise(times) if later - earlier >= 1]
    if len(intervals) < 3:
        return None
    heights = Counter(int(time * BARS / window_s) % BARS for time in times)
    return Scores(
        timing=spread(intervals),
        histogram=max(evenness(heights), bimodal_fit(heights)),
        duration=duration(times, heights, window_s),
        size=spread(sizes) if len(sizes) >= 4 else None,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile, with linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> float:
    """Return how similar values are: symmetry, and deviation from the median."""
    first, median, third = (quantile(values, share) for share in (0.25, 0.5, 0.75))
    skewness = 0.0
    if third - first >= 10 and median not in (first, third):
        skewness = (first + third - 2 * median) / (third - first)
    deviation = quantile([abs(value - median) for value in values], 0.5)
    closeness = 1.0 if median < 1 else max(0.0, (median - deviation) / median)
    return (1 - abs(skewness) + closeness) / 2


def evenness(heights: Counter[int]) -> float:
    mean = heights.total() / BARS
    variance = sum((heights[bar] - mean) ** 2 for bar in range(BARS)) / BARS
    return max(0.0, 1 - math.sqrt(variance) / mean)


def bimodal_fit(heights: Counter[int]) -> float:
    if len(heights) < 11:
        return 0.0
    step = math.ceil(max(heights.values()) * 0.05)
    levels = Counter(height // step for height in heights.values())
    return min(1.0, sum(count for _, count in levels.most_common(2)) / (len(heights) - 1))


def duration(times: Sequence[float], heights: Counter[int], window_s: float) -> float:
    if len(heights) < 6:
        return 0.0
    longest = run = 0
    for bar in range(2 * BARS):
        run = run + 1 if heights[bar % BARS] else 0
        longest = max(longest, run)
    return min(1.0, max((times[-1] - times[0]) / window_s, min(longest, BARS) / 12))
