"""Hold all that is planted in a fleet, and its rows by day."""

from __future__ import annotations

from fleet.beacons import beacons
from fleet.endpoints import Endpoints
from fleet.intrusions import intrusions
from fleet.machines import DAY_S, Machines
from fleet.planted import Planted
from fleet.rows import Rows
from fleet.site import Site

__all__ = ["Plants"]


class Plants:
    """Hold the truth and its rows, which are few enough for memory."""

    def __init__(self, machines: Machines, endpoints: Endpoints, first_day: int, days: int) -> None:
        site = Site(machines, endpoints, first_day, days)
        planted = [*beacons(site), *intrusions(site)]
        self.truth: tuple[Planted, ...] = tuple(truth for truth, _ in planted)
        self._rows = Rows.concat([rows for _, rows in planted])
        self._day = self._rows.time_ms // (DAY_S * 1000)

    def rows(self, day: int) -> Rows:
        """Return the rows of a day, counted since 1970."""
        return self._rows.take(self._day == day)
