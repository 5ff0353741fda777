"""Decide when things happen: occasions of a day, as machines and seconds since 1970."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fleet.chance import Floats, Integers, uniform
from fleet.machines import DAY_S, HOUR_S, Machines
from fleet.services import Rhythm

__all__ = ["WORKDAY_WEIGHTS", "Occasions", "occasions", "office", "spread"]

Occasions = tuple[Integers, Floats]
"""Machines, and the seconds since 1970 of each occasion."""
Chance = np.random.Generator

WORKDAY_WEIGHTS = np.array([1, 1, 1, 1, 1, 2, 5, 20, 70, 95, 100, 95, 55, 75, 95, 95, 90, 70, 35, 15, 10, 8, 5, 2])
"""How busy people are, by the hour of local time."""
_WEEKEND, _ROLLOUT = 0.08, 0.2
_FIRST_MONDAY = 4


def occasions(
    rhythm: Rhythm, random: Chance, machines: Machines, members: Integers, day: int, per_day: float
) -> Occasions:
    """Return a day's occasions (`day`: since 1970) of each of the members."""
    return _RHYTHMS[rhythm](random, machines, members, day, per_day)


def spread(random: Chance, counts: Integers, within_s: float) -> tuple[Integers, Floats]:
    """Return this many connections for each occasion: the occasion's number, and seconds after it."""
    number = np.repeat(np.arange(len(counts)), counts)
    return number, random.random(len(number)) ** 2 * within_s


def _steady(random: Chance, _machines: Machines, members: Integers, day: int, per_day: float) -> Occasions:
    machine = np.repeat(members, random.poisson(per_day, len(members)))
    return machine, day * DAY_S + random.random(len(machine)) * DAY_S


def office(random: Chance, machines: Machines, members: Integers, day: int, per_day: float) -> Occasions:
    """Return occasions in working hours of local time, few at weekends."""
    workday = (day - _FIRST_MONDAY) % 7 < 5
    machine = np.repeat(members, random.poisson(per_day * (1 if workday else _WEEKEND), len(members)))
    hours = np.searchsorted(np.cumsum(WORKDAY_WEIGHTS) / WORKDAY_WEIGHTS.sum(), random.random(len(machine)))
    return machine, _at_local(machines, machine, day, (hours + random.random(len(machine))) * HOUR_S)


def _night(random: Chance, machines: Machines, members: Integers, day: int, per_day: float) -> Occasions:
    machine = np.repeat(members, random.poisson(per_day, len(members)))
    return machine, _at_local(machines, machine, day, (1 + 3 * random.random(len(machine))) * HOUR_S)


def _timer(random: Chance, machines: Machines, members: Integers, day: int, per_day: float) -> Occasions:
    period_s = DAY_S / per_day
    machine, tick = np.repeat(members, round(per_day)), np.tile(np.arange(round(per_day)), len(members))
    phase = uniform(machines.seed, round(per_day), machine)
    return machine, day * DAY_S + (tick + phase + 0.01 * random.random(len(machine))) * period_s


def _rollout(random: Chance, machines: Machines, members: Integers, day: int, per_day: float) -> Occasions:
    if uniform(machines.seed, day, 91)[0] > _ROLLOUT:
        members = members[:0]
    machine = np.repeat(members, random.poisson(per_day, len(members)))
    start_s = (6 + 10 * uniform(machines.seed, day, 92)[0]) * HOUR_S
    return machine, day * DAY_S + start_s + random.exponential(1.5 * HOUR_S, len(machine)) % (6 * HOUR_S)


def _at_local(machines: Machines, machine: Integers, day: int, clock_s: Floats) -> Floats:
    """Return local times of a day as UTC; those that the zone moves out of it are of the neighbouring local day."""
    return day * DAY_S + (clock_s - machines.zone_s(machine)) % DAY_S


_RHYTHMS: dict[Rhythm, Callable[[Chance, Machines, Integers, int, float], Occasions]] = {
    "steady": _steady,
    "office": office,
    "night": _night,
    "timer": _timer,
    "rollout": _rollout,
}
