"""From a seed to batches: day by day, so that memory does not grow with the months."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from fleet.endpoints import Endpoints
from fleet.machines import Machines
from fleet.planted import Planted
from fleet.plants import Plants
from fleet.rows import Rows
from fleet.table import Tables
from fleet.traffic import harmless

__all__ = ["Fleet", "Made", "generate", "of_size"]

FIRST_DAY = date(2026, 1, 5)
"""A Monday."""
_EPOCH = date(1970, 1, 1)
_EVENTS_PER_HOST_DAY, _PLANTED_EVENTS = 1_050, 140_000


@dataclass(frozen=True, slots=True)
class Fleet:
    """How large, and for how long."""

    seed: int = 1
    hosts: int = 200
    days: int = 30
    first_day: date = FIRST_DAY
    planted: bool = True
    """Without, all is harmless."""

    @property
    def end(self) -> datetime:
        """When the last day is over."""
        return datetime.combine(self.first_day, datetime.min.time(), UTC) + timedelta(self.days)


def of_size(events: int, seed: int = 1) -> Fleet:
    """A fleet of about so many events: 60 machines for 17 days are a million, 800 for 125 days a hundred millions."""
    hosts = max(20, round(60 * (events / 1e6) ** 0.5625))
    return Fleet(seed, hosts, max(2, round((events - _PLANTED_EVENTS) / hosts / _EVENTS_PER_HOST_DAY)))


def generate(
    seed: int = 1, hosts: int = 200, days: int = 30, *, planted: bool = True
) -> tuple[Iterator[pa.RecordBatch], tuple[Planted, ...]]:
    """Batches of `event.LIVE_SCHEMA`, days in order and sorted by time within each; and what is planted in them."""
    made = Made(Fleet(seed, hosts, days, planted=planted))
    return (batch for day in range(days) for batch in made.batches(day)), made.truth


class Made:
    """A fleet's machines, all whom they speak to, and what is planted."""

    def __init__(self, fleet: Fleet) -> None:
        self._first_day = (fleet.first_day - _EPOCH).days
        self._machines = Machines(fleet.seed, fleet.hosts)
        self._endpoints = Endpoints(self._machines)
        self._plants = None
        self.truth: tuple[Planted, ...] = ()
        if fleet.planted:
            self._plants = Plants(self._machines, self._endpoints, self._first_day, fleet.days)
            self.truth = self._plants.truth
        self._tables = Tables(self._machines, self._endpoints)

    def batches(self, number: int) -> Iterator[pa.RecordBatch]:
        """Those of a day, the first being 0: any day can be had by itself."""
        day = self._first_day + number
        parts = [harmless(self._machines, self._endpoints, day)]
        if self._plants:
            parts.append(self._plants.rows(day))
        rows = Rows.concat(parts)
        # What a burst carries over midnight is left out.
        return self._tables.batches(rows.take(rows.time_ms // 86_400_000 == day))
