"""Track when a correlation's condition begins to hold, and for how long.

A group's condition is evaluated at each of its events, over the time before it. While it holds, that is one match: a
stream reports it when it begins, a complete log when it ends.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from procwire.sigma.matching.windows import Window, window_of
from procwire.sigma.model.rule import Bound, Correlation

__all__ = ["Episode", "EpisodeTracker"]

# The most groups that are stored; the one whose last event is oldest is evicted first.
_MOST_GROUPS = 1 << 16
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt, "lte": operator.le, "gt": operator.gt, "gte": operator.ge, "eq": operator.eq,
    "neq": operator.ne,
}  # fmt: skip
_HOLDS = Bound("gte", 1)


@dataclass(slots=True)
class Episode:
    """Record that a group's condition held.

    key: the group's values of `group-by`. events: number of events. figure: the largest value that was compared, or the
    smallest for upper bounds. The times are those of the first and last event.
    """

    key: tuple[Any, ...]
    events: int
    figure: float
    first_us: int
    last_us: int


@dataclass(slots=True)
class _Group:
    window: Window
    episode: Episode | None = None


class EpisodeTracker:
    """Track the groups of one correlation. live: return episodes when they begin, else when they have ended."""

    def __init__(self, correlation: Correlation, *, live: bool) -> None:
        self._correlation = correlation
        self._bounds = (_HOLDS,) if correlation.presence is not None else correlation.bounds
        self._rises = any(bound.operator in ("gt", "gte") for bound in self._bounds)
        self._live = live
        self._groups: dict[tuple[Any, ...], _Group] = {}

    def add(self, time_us: int, places: Sequence[int], key: tuple[Any, ...], value: Any = None) -> Iterator[Episode]:
        """Add an event of a group, and yield the episodes to report. places: indices of the rules that match it."""
        yield from self._forget(time_us)
        # Reinsert at the end: groups are in the order of their last events.
        group = self._groups.pop(key, None) or _Group(window_of(self._correlation))
        self._groups[key] = group
        group.window.add(time_us, places, value)
        figure = group.window.figure
        if figure is not None and all(_COMPARE[bound.operator](figure, bound.number) for bound in self._bounds):
            yield from self._held(group, key, figure)
        elif group.episode is not None:
            yield from self._ended(group)

    def finish(self) -> Iterator[Episode]:
        """Yield the episodes that are still open when the log ends."""
        for group in self._groups.values():
            yield from self._ended(group)

    def _held(self, group: _Group, key: tuple[Any, ...], figure: float) -> Iterator[Episode]:
        window, episode = group.window, group.episode
        if episode is None:
            group.episode = Episode(key, len(window.events), figure, window.events[0][0], window.newest_us)
            if self._live:
                yield group.episode
        elif not self._live:
            episode.events += 1
            episode.figure = (max if self._rises else min)(episode.figure, figure)
            episode.last_us = window.newest_us

    def _ended(self, group: _Group) -> Iterator[Episode]:
        if group.episode is not None and not self._live:
            yield group.episode
        group.episode = None

    def _forget(self, time_us: int) -> Iterator[Episode]:
        """Remove groups without an event within the window, and yield their episodes, which are over."""
        oldest_us = time_us - self._correlation.timespan_us
        while self._groups:
            key, group = next(iter(self._groups.items()))
            if group.window.newest_us >= oldest_us and len(self._groups) <= _MOST_GROUPS:
                break
            del self._groups[key]
            yield from self._ended(group)
