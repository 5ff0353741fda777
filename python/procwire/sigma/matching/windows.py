"""Slide windows over time: compute the figure of a correlation over the events of one group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from procwire.sigma.model.rule import Correlation, Presence

__all__ = ["Window", "window_of"]

# The most events of one group; beyond it, the oldest leave before their time is over.
_MOST_EVENTS = 1 << 16


class Window(ABC):
    """Hold the events of one group within the time before its newest."""

    def __init__(self, correlation: Correlation) -> None:
        self.events: deque[tuple[int, Any]] = deque()
        """Time in microseconds, and what this kind of correlation stores about each event."""
        self.newest_us = -(1 << 63)
        self._timespan_us = correlation.timespan_us

    def add(self, time_us: int, places: Sequence[int], value: Any) -> None:
        """Add an event. places: indices of the rules that match it. value: its value, None if there is none."""
        self.newest_us = max(self.newest_us, time_us)
        kept = self._enter(time_us, places, value)
        self.events.append((time_us, kept))
        oldest_us = self.newest_us - self._timespan_us
        while self.events[0][0] < oldest_us or len(self.events) > _MOST_EVENTS:
            self._leave(self.events.popleft()[1])
            if not self.events:
                break

    def _enter(self, time_us: int, places: Sequence[int], value: Any) -> Any:  # noqa: ARG002
        return None

    def _leave(self, kept: Any) -> None:  # noqa: B027
        """Remove an event that is no longer within the window."""

    @property
    @abstractmethod
    def figure(self) -> float | None:
        """Return the figure that the condition compares; None if there is none."""


class _EventCount(Window):
    @property
    def figure(self) -> float:
        return len(self.events)


class _ValueCount(Window):
    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._counts: Counter[Any] = Counter()

    def _enter(self, time_us: int, places: Sequence[int], value: Any) -> Any:  # noqa: ARG002
        if value is not None:
            self._counts[value] += 1
        return value

    def _leave(self, kept: Any) -> None:
        if kept is not None:
            self._counts[kept] -= 1
            if not self._counts[kept]:
                del self._counts[kept]

    @property
    def figure(self) -> float:
        return len(self._counts)


class _Numbers(Window):
    """Compute the sum, average, or percentile of the values; None without any value."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._type = correlation.type
        self._share = (50 if self._type == "value_median" else correlation.percentile) / 100
        self._sorted: list[float] = []
        self._sum = 0

    def _enter(self, time_us: int, places: Sequence[int], value: Any) -> Any:  # noqa: ARG002
        if value is not None:
            self._sum += value
            insort(self._sorted, value)
        return value

    def _leave(self, kept: Any) -> None:
        if kept is not None:
            self._sum -= kept
            del self._sorted[bisect_left(self._sorted, kept)]

    @property
    def figure(self) -> float | None:
        if not self._sorted:
            return None
        if self._type == "value_sum":
            return self._sum
        if self._type == "value_avg":
            return self._sum / len(self._sorted)
        place, rest = divmod(self._share * (len(self._sorted) - 1), 1)
        low = self._sorted[int(place)]
        return low + (self._sorted[min(int(place) + 1, len(self._sorted) - 1)] - low) * rest


class _Temporal(Window):
    """Count how many of the rules have matched; or, with a condition of and, or, not, return 1 if it holds."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        self._presence = correlation.presence
        self._counts: Counter[int] = Counter()

    def _enter(self, time_us: int, places: Sequence[int], value: Any) -> Any:  # noqa: ARG002
        self._counts.update(places)
        return places

    def _leave(self, kept: Any) -> None:
        self._counts.subtract(kept)

    @property
    def figure(self) -> float:
        if self._presence is not None:
            return _holds(self._presence, self._counts)
        return sum(count > 0 for count in self._counts.values())


class _TemporalOrdered(Window):
    """Count how many of the rules, from the first on, have matched in order, each with its own event."""

    def __init__(self, correlation: Correlation) -> None:
        super().__init__(correlation)
        # When the latest sequence of matches that ends with the rule at this index began.
        self._begun_us: list[int | None] = [None] * len(correlation.rules)

    def _enter(self, time_us: int, places: Sequence[int], value: Any) -> Any:  # noqa: ARG002
        for place in sorted(places, reverse=True):
            begun = time_us if place == 0 else self._begun_us[place - 1]
            if begun is not None:
                self._begun_us[place] = max(begun, self._begun_us[place] or begun)

    @property
    def figure(self) -> float:
        oldest_us = self.newest_us - self._timespan_us
        begun = enumerate(self._begun_us, start=1)
        return max((count for count, since in begun if since is not None and since >= oldest_us), default=0)


def _holds(presence: Presence, counts: Counter[int]) -> bool:
    match presence.operator:
        case "rule":
            return counts[presence.place] > 0
        case "not":
            return not _holds(presence.operands[0], counts)
        case "and":
            return all(_holds(operand, counts) for operand in presence.operands)
        case "or":
            return any(_holds(operand, counts) for operand in presence.operands)


def window_of(correlation: Correlation) -> Window:
    """Return an empty window of a correlation's kind."""
    match correlation.type:
        case "event_count":
            return _EventCount(correlation)
        case "value_count":
            return _ValueCount(correlation)
        case "temporal":
            return _Temporal(correlation)
        case "temporal_ordered":
            return _TemporalOrdered(correlation)
        case _:
            return _Numbers(correlation)
