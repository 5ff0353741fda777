"""Plant beacons: every jitter, periods from 30 s to an hour, their own process or a common one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from fleet.chance import Floats, uniform
from fleet.machines import DAY_S, HOUR_S
from fleet.planted import Beacon
from fleet.programs import PROGRAMS, program_number
from fleet.rows import Rows, rows
from fleet.site import Site

__all__ = ["JITTERS", "beacons"]

JITTERS = (0.0, 0.1, 0.2, 0.5, 0.9)
_PERIODS_S = (60, 300, 900, 3_600)
_SHORT_PERIOD_S = 30
_PROGRAMS = ("implant", "rundll32", "dnscache")
_PORTS = (443, 8443, 80)
_DESTINATIONS: tuple[Literal["rare", "named", "cdn"], ...] = ("rare", "named", "cdn", "rare")
_LONGEST_S = 6 * DAY_S
_WAKES_S, _SLEEPS_S = 8 * HOUR_S, 18 * HOUR_S


def beacons(site: Site) -> Iterator[tuple[Beacon, Rows]]:
    """Return a beacon for each jitter and period, and one of 30 s; one in four sleeps."""
    plan = [(jitter, period_s) for period_s in _PERIODS_S for jitter in JITTERS] + [(0.2, _SHORT_PERIOD_S)]
    for number, (jitter, period_s) in enumerate(plan):
        yield _beacon(site, number, jitter, period_s)


def _beacon(site: Site, number: int, jitter: float, period_s: float) -> tuple[Beacon, Rows]:
    random = site.random(number)
    machine = site.workstation(number)
    destination = _DESTINATIONS[number % len(_DESTINATIONS)]
    program = program_number(_PROGRAMS[number % len(_PROGRAMS)])
    sleeps = number % 4 == 1
    time_s = _times(random, site, period_s, jitter)
    if sleeps:
        clock_s = (time_s + site.machines.zone_s(np.array([machine]))) % DAY_S
        time_s = time_s[(clock_s >= _WAKES_S) & (clock_s < _SLEEPS_S)]
    remote, port = _remote(site, number, destination), _PORTS[number % len(_PORTS)]
    boots = site.machines.boot_s(np.full(len(time_s), machine), time_s.astype(np.int64) - 60) + program
    made = rows(
        random,
        (time_s * 1000).astype(np.int64),
        machine=machine,
        program=program,
        start_s=boots if PROGRAMS[program].life == "boot" else int(time_s[0]) - 5,
        remote=remote,
        port=port,
    )
    facts = site.facts("beacon", made, remote, port)
    truth = Beacon(**facts, period_s=period_s, jitter=jitter, sleeps=sleeps, destination=destination)
    return truth, made


def _times(random: np.random.Generator, site: Site, period_s: float, jitter: float) -> Floats:
    """Return seconds since 1970, from a time in the last days to the end."""
    length_s = min(_LONGEST_S, site.length_s * 0.75) * (0.6 + 0.4 * random.random())
    count = int(length_s / period_s * 1.5) + 10
    intervals_s = period_s * (1 + jitter * (2 * random.random(count) - 1))
    time_s = site.end_s - length_s + np.cumsum(intervals_s)
    return time_s[time_s < site.end_s]


def _remote(site: Site, number: int, destination: str) -> int:
    if destination == "cdn":
        cdn = site.endpoints.group("cdn")
        return int(cdn[int(uniform(site.machines.seed, 31, number)[0] * len(cdn))])
    return site.stranger(f"cdn{number}.metrics.example" if destination == "named" else None)
