"""Hold the fleet's machines: the role of each, its site, when it is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fleet.chance import Floats, Integers, uniform

__all__ = ["DAY_S", "HOUR_S", "ROLES", "Machines", "Role"]

Role = Literal["workstation", "domain-controller", "file-server", "web-server", "database", "backup"]
ROLES: tuple[Role, ...] = ("workstation", "domain-controller", "file-server", "web-server", "database", "backup")
_PREFIXES = ("WS", "DC", "FS", "WEB", "SQL", "BAK")

HOUR_S, DAY_S, _WEEK_S = 3_600, 86_400, 7 * 86_400
# Of 1970's first Monday, local time.
_MONDAY_S = 4 * DAY_S
_ZONES_H = (-5, 0, 1, 8)
_SITE_MACHINES = 200
_ALWAYS_ON, _WITH_IPV6 = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Machines:
    """Hold `count` machines, numbered from 0: one in ten is a server."""

    seed: int
    count: int

    @property
    def roles(self) -> Integers:
        """Return each machine's role, as a number in ROLES. The first five are one server of each kind."""
        numbers = np.arange(self.count)
        kinds = len(ROLES) - 1
        servers = 1 + np.where(numbers < kinds, numbers, numbers // 10) % kinds
        return np.where((numbers < kinds) | (numbers % 10 == 9), servers, 0)

    def of(self, *roles: Role) -> Integers:
        """Return the machines in these roles."""
        return np.flatnonzero(np.isin(self.roles, [ROLES.index(role) for role in roles]))

    def names(self) -> list[str]:
        """Return the machines' fully qualified names, as in Sysmon's Computer."""
        return [f"{_PREFIXES[role]}{number:04d}.corp.example" for number, role in enumerate(self.roles.tolist())]

    def addresses(self) -> list[str]:
        """Return IPv4 addresses: a site of 200 machines is a /16, a machine's last number is never 0 or 255."""
        return [f"10.{10 + n // _SITE_MACHINES}.{n % 4}.{2 + n % _SITE_MACHINES}" for n in range(self.count)]

    def ipv6_addresses(self) -> list[str]:
        """Return unique local IPv6 addresses."""
        return [f"fd5c:10:{10 + n // _SITE_MACHINES:x}::{0x1000 + n:x}" for n in range(self.count)]

    def has_ipv6(self) -> NDArray[np.bool_]:
        """Return which machines have IPv6."""
        return uniform(self.seed, 61, np.arange(self.count)) < _WITH_IPV6

    def zone_s(self, machine: Integers) -> Integers:
        """Return how many seconds the local time of a machine's site is ahead of UTC."""
        return np.asarray(_ZONES_H)[machine // _SITE_MACHINES % len(_ZONES_H)] * HOUR_S

    def always_on(self) -> NDArray[np.bool_]:
        """Return which machines are always on: servers, and the workstations that nobody shuts down."""
        return (self.roles > 0) | (uniform(self.seed, 62, np.arange(self.count)) < _ALWAYS_ON)

    def is_on(self, machine: Integers, time_s: Integers) -> NDArray[np.bool_]:
        """Return whether each machine is on at its time: those not always on from logon to evening, on workdays."""
        day, clock_s = np.divmod(time_s + self.zone_s(machine), DAY_S)
        logon_s = self._logon_clock_s(machine, day)
        evening_s = logon_s + (8 + 3 * uniform(self.seed, 64, machine, day)) * HOUR_S
        works = uniform(self.seed, 65, machine, day) < np.where((day - _MONDAY_S // DAY_S) % 7 < 5, 0.95, 0.05)
        return self.always_on()[machine] | (works & (clock_s >= logon_s) & (clock_s < evening_s))

    def logon_s(self, machine: Integers, time_s: Integers) -> Integers:
        """Return when the user last logged on, in seconds since 1970."""
        zone_s = self.zone_s(machine)
        day = (time_s + zone_s) // DAY_S
        today_s = day * DAY_S + self._logon_clock_s(machine, day).astype(np.int64) - zone_s
        yesterday_s = (day - 1) * DAY_S + self._logon_clock_s(machine, day - 1).astype(np.int64) - zone_s
        return np.where(today_s <= time_s, today_s, yesterday_s)

    def boot_s(self, machine: Integers, time_s: Integers) -> Integers:
        """Return when the machine last booted: weekly, at night; every morning if it is shut down."""
        offset_s = _MONDAY_S + ((1 + uniform(self.seed, 66, machine)) * DAY_S).astype(np.int64)
        weekly_s = (time_s - offset_s) // _WEEK_S * _WEEK_S + offset_s
        return np.where(self.always_on()[machine], weekly_s, self.logon_s(machine, time_s) - 90)

    def _logon_clock_s(self, machine: Integers, day: Integers) -> Floats:
        return (7.5 + 2 * uniform(self.seed, 63, machine, day)) * HOUR_S
