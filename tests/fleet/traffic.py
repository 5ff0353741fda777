"""Generate a day's harmless traffic: the services, and people who browse."""

from __future__ import annotations

import numpy as np

from fleet.chance import Floats, Integers, pick, uniform
from fleet.endpoints import GROUPS, Endpoints
from fleet.machines import Machines
from fleet.programs import PROGRAMS, program_number
from fleet.rhythm import occasions, office, spread
from fleet.rows import Rows, rows
from fleet.services import SERVICES, Service

__all__ = ["answers", "harmless"]

# A process that just booted has not yet connected.
_SETTLED_S = 60
_SESSIONS_A_DAY, _PAGES, _THINK_MEDIAN_S, _THINK_SIGMA = 12.0, 7.0, 20.0, 1.3
_CONNECTIONS, _CDN_SHARE, _EDGE_USERS = 3.0, 0.35, 0.4


def harmless(machines: Machines, endpoints: Endpoints, day: int) -> Rows:
    """Return all rows of a day (since 1970), in no order."""
    parts = [_browsing(machines, endpoints, day)]
    for number, service in enumerate(SERVICES):
        asked = _service(machines, endpoints, day, number, service)
        parts += [asked] if service.answers is None else [asked, answers(machines, asked, service.answers)]
    return Rows.concat(parts)


def _service(machines: Machines, endpoints: Endpoints, day: int, number: int, service: Service) -> Rows:
    random = np.random.default_rng((machines.seed, day, number))
    members = machines.of(*service.roles)
    members = members[uniform(machines.seed, 51, number, members) < service.share]
    machine, occasion_s = occasions(service.rhythm, random, machines, members, day, service.per_day)
    which, after_s = spread(random, 1 + random.poisson(service.burst - 1, len(machine)), 3.0)
    machine, begin_s, time_s = machine[which], occasion_s[which], occasion_s[which] + after_s
    on = machines.is_on(machine, time_s.astype(np.int64))
    machine, begin_s, time_s, which = machine[on], begin_s[on], time_s[on], which[on]
    return rows(
        random,
        (time_s * 1000).astype(np.int64),
        machine=machine,
        program=program_number(service.program),
        start_s=_starts(machines, service.program, machine, begin_s),
        remote=_targets(endpoints, random, service, machine),
        port=service.port,
        client_port=service.client_port,
        udp=service.udp,
    )


def _targets(endpoints: Endpoints, random: np.random.Generator, service: Service, machine: Integers) -> Integers:
    group = endpoints.group(service.target)
    anyone = group[random.integers(0, len(group), len(machine))]
    if service.target in GROUPS:
        return anyone
    remote = anyone if service.sweeps else pick(group, 52, machine)
    # No machine connects to itself: the previous machine in the group, or the only one.
    own = remote == machine
    remote[own] = group[np.searchsorted(group, machine[own]) - 1]
    return endpoints.prefer_ipv6(machine, remote)


def _starts(machines: Machines, program: str, machine: Integers, begin_s: Floats) -> Integers:
    """Return when the process that connects on an occasion started."""
    number = program_number(program)
    settled_s = begin_s.astype(np.int64) - _SETTLED_S
    life = PROGRAMS[number].life
    if life == "run":
        return begin_s.astype(np.int64) - 2
    return (machines.boot_s if life == "boot" else machines.logon_s)(machine, settled_s) + number


def answers(machines: Machines, asked: Rows, program: str) -> Rows:
    """Return the connections as the other end logs them."""
    asked = asked.take(asked.remote % machines.count != asked.machine)
    server, ipv6 = asked.remote % machines.count, asked.remote >= machines.count
    time_ms = asked.time_ms + asked.client_port % 40
    return Rows(
        time_ms,
        server,
        np.full(len(asked), program_number(program)),
        _starts(machines, program, server, time_ms / 1000),
        np.where(ipv6, asked.machine + machines.count, asked.machine),
        asked.port,
        asked.client_port,
        asked.udp,
        ~asked.inbound,
    )


def _browsing(machines: Machines, endpoints: Endpoints, day: int) -> Rows:
    """Return sessions of pages with pauses between them; each page is several connections, some to CDNs."""
    random = np.random.default_rng((machines.seed, day, 1_000))
    user, session_s = office(random, machines, machines.of("workstation"), day, _SESSIONS_A_DAY)
    pages = random.geometric(1 / _PAGES, len(user))
    session = np.repeat(np.arange(len(user)), pages)
    page_s = session_s[session] + _running_sum(
        random.lognormal(np.log(_THINK_MEDIAN_S), _THINK_SIGMA, len(session)), pages
    )
    page, after_s = spread(random, 1 + random.poisson(_CONNECTIONS - 1, len(session)), 2.0)
    machine, time_s = user[session[page]], page_s[page] + after_s
    on = machines.is_on(machine, time_s.astype(np.int64)) & (time_s < (day + 1) * 86_400)
    machine, time_s, page = machine[on], time_s[on], page[on]
    edge = uniform(machines.seed, 53, machine) < _EDGE_USERS
    cdn = endpoints.group("cdn")
    remote = np.where(
        random.random(len(machine)) < _CDN_SHARE,
        cdn[(random.random(len(machine)) ** 2 * len(cdn)).astype(np.int64)],
        endpoints.sites(machine, random.random(len(machine)), random.integers(0, 1 << 40, len(page))),
    )
    starts = [_starts(machines, browser, machine, time_s) for browser in ("edge", "chrome")]
    return rows(
        random,
        (time_s * 1000).astype(np.int64),
        machine=machine,
        program=np.where(edge, program_number("edge"), program_number("chrome")),
        start_s=np.where(edge, *starts),
        remote=remote,
        port=np.where(random.random(len(machine)) < 0.06, 80, 443),
    )


def _running_sum(values: Floats, counts: Integers) -> Floats:
    """Return running sums within groups of this many values each, from 0 on."""
    total = np.cumsum(values) - values
    first = np.cumsum(counts) - counts
    return np.asarray(total - np.repeat(total[first], counts), np.float64)
