"""Choose where things are planted: which machines, when, and addresses that nobody else uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np

from fleet.chance import uniform
from fleet.endpoints import Endpoints
from fleet.machines import DAY_S, Machines
from fleet.planted import Kind
from fleet.programs import PROGRAMS
from fleet.rows import Rows

__all__ = ["Site"]

_STRANGERS = "185.{}.{}.{}"


@dataclass(frozen=True, slots=True)
class Site:
    """Hold the fleet, and the time from its first day to the end of its last one."""

    machines: Machines
    endpoints: Endpoints
    first_day: int
    """Since 1970."""
    days: int
    _strangers: Any = field(default_factory=count)

    @property
    def end_s(self) -> int:
        """Return the end of the last day, in seconds since 1970."""
        return (self.first_day + self.days) * DAY_S

    @property
    def length_s(self) -> int:
        """Return the length of all days, in seconds."""
        return self.days * DAY_S

    def random(self, number: int) -> np.random.Generator:
        """Return a random generator of its own for each planted thing."""
        return np.random.default_rng((self.machines.seed, 7_777, number))

    def workstation(self, number: int) -> int:
        """Return the next workstation in turn, one that is always on if there is one."""
        everyone = self.machines.of("workstation")
        always = everyone[self.machines.always_on()[everyone]]
        chosen = always if len(always) else everyone
        shuffled = chosen[np.argsort(uniform(self.machines.seed, 32, chosen))]
        return int(shuffled[number % len(shuffled)])

    def stranger(self, name: str | None = None) -> int:
        """Add an endpoint on the internet that nobody else uses: no group and no site is in 185.0.0.0/8."""
        number = next(self._strangers)
        octets = (uniform(self.machines.seed, 33, number, np.arange(3)) * 254 + 1).astype(int).tolist()
        return self.endpoints.add(_STRANGERS.format(*octets), name)

    def facts(self, kind: Kind, rows: Rows, remote: int | None, port: int | None) -> dict[str, Any]:
        """Return the fields of a Planted for what one process did to `remote` (None: to many) on `port`."""
        machine, program = int(rows.machine[0]), int(rows.program[0])
        first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (rows.time_ms.min(), rows.time_ms.max()))
        return {
            "kind": kind,
            "computer_name": self.machines.names()[machine],
            "process_name": PROGRAMS[program].image,
            "dst_ip": None if remote is None else self.endpoints.ip(remote),
            "dst_port": port,
            "first": first,
            "last": last,
            "events": len(rows),
        }
