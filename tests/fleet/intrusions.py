"""Plant scans, sweeps, lateral movement, a strobe, odd programs, listeners, ports and destinations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from fleet.machines import DAY_S, HOUR_S
from fleet.planted import Kind, Planted
from fleet.programs import program_number
from fleet.rows import Rows, rows
from fleet.site import Site
from fleet.traffic import answers

__all__ = ["intrusions"]

_SCANNED_PORTS, _SCAN_S = 1_024, 120
_SWEPT_HOSTS, _SWEEP_S = 254, 300
_STROBES = 90_000
# Program, port, and which program of the other end logs it, too.
_LATERAL = (
    ("rundll32", 445, "system"), ("powershell", 5985, "system"), ("implant", 3389, "services"),
    ("cmd", 135, "services"),
)  # fmt: skip
_BINARIES = (("regsvr32", 443), ("mshta", 80), ("certutil", 80), ("notepad", 443))
_MISMATCHES = (("powershell", 53), ("implant", 22))
_LISTENERS = (("netcat", 4444), ("powershell", 8080))


def intrusions(site: Site) -> Iterator[tuple[Planted, Rows]]:
    """Return all intrusions, each on its own machine if there are enough."""
    for number, plant in enumerate((_port_scan, _host_sweep, _strobe)):
        yield plant(site, 100 + number)
    for number, (program, port, answering) in enumerate(_LATERAL, 110):
        truth, made = _lateral(site, number, program, port)
        yield truth, Rows.concat([made, answers(site.machines, made, answering)])
    for number, (program, port) in enumerate(_BINARIES, 120):
        yield _outward(site, "system-binary", number, program, port)
    for number, (program, port) in enumerate(_MISMATCHES, 130):
        yield _outward(site, "port-mismatch", number, program, port)
    for number, (program, port) in enumerate(_LISTENERS, 140):
        yield _listener(site, number, program, port)
    yield _outward(site, "first-seen", 150, "sql", 443, machine=int(site.machines.of("database")[0]))
    yield _outward(site, "first-seen", 151, "word", 443)


def _occasion_s(site: Site, number: int) -> float:
    """Return a time in the morning of the last day."""
    return site.end_s - DAY_S + (8 + 3 * site.random(number).random()) * HOUR_S


def _made(
    site: Site, number: int, program: str, after_s: ArrayLike, remote: ArrayLike, port: ArrayLike, machine: int
) -> Rows:
    begin_s = _occasion_s(site, number)
    time_ms = ((begin_s + np.asarray(after_s, np.float64)) * 1000).astype(np.int64)
    start_s = int(begin_s) - 5
    return rows(
        site.random(number),
        time_ms,
        machine=machine,
        program=program_number(program),
        start_s=start_s,
        remote=remote,
        port=port,
    )


def _port_scan(site: Site, number: int) -> tuple[Planted, Rows]:
    target = int(site.endpoints.group("file-server")[0])
    after_s = np.sort(site.random(number).random(_SCANNED_PORTS)) * _SCAN_S
    ports = np.arange(1, _SCANNED_PORTS + 1)
    made = _made(site, number, "scanner", after_s, target, ports, site.workstation(number))
    return Planted(**site.facts("port-scan", made, target, None)), made


def _host_sweep(site: Site, number: int) -> tuple[Planted, Rows]:
    subnet = [site.endpoints.add(f"10.10.77.{last}") for last in range(1, _SWEPT_HOSTS + 1)]
    after_s = np.sort(site.random(number).random(_SWEPT_HOSTS)) * _SWEEP_S
    made = _made(site, number, "scanner", after_s, subnet, 445, site.workstation(number))
    return Planted(**site.facts("host-sweep", made, None, 445)), made


def _strobe(site: Site, number: int) -> tuple[Planted, Rows]:
    """Plant more than a connection per second, all within the last day."""
    target = site.stranger("poll.metrics.example")
    day_s = site.end_s - DAY_S
    time_s = day_s + 900 + np.sort(site.random(number).random(_STROBES)) * (DAY_S - 1_800)
    machine = site.workstation(number)
    made = rows(
        site.random(number),
        (time_s * 1000).astype(np.int64),
        machine=machine,
        program=program_number("flood"),
        start_s=day_s + 890,
        remote=target,
        port=443,
    )
    return Planted(**site.facts("strobe", made, target, 443)), made


def _lateral(site: Site, number: int, program: str, port: int) -> tuple[Planted, Rows]:
    """Plant connections from one workstation to five others, about a minute apart."""
    machine = site.workstation(number)
    others = np.setdiff1d(site.machines.of("workstation"), [machine])
    targets = site.random(number).permutation(others)[:5]
    after_s = np.cumsum(30 + 60 * site.random(number).random(len(targets)))
    made = _made(site, number, program, after_s, targets, port, machine)
    return Planted(**site.facts("lateral-movement", made, None, port)), made


def _outward(
    site: Site, kind: Kind, number: int, program: str, port: int, machine: int | None = None
) -> tuple[Planted, Rows]:
    """Plant three connections to an unknown address."""
    target = site.stranger()
    where = site.workstation(number) if machine is None else machine
    made = _made(site, number, program, [0, 4, 45], target, port, where)
    return Planted(**site.facts(kind, made, target, port)), made


def _listener(site: Site, number: int, program: str, port: int) -> tuple[Planted, Rows]:
    """Plant a workstation that accepts connections from another one."""
    machine = site.workstation(number)
    peer = int(np.setdiff1d(site.machines.of("workstation"), [machine])[0])
    asked = _made(site, number, program, [0, 70], peer, port, machine)
    made = Rows(asked.time_ms, asked.machine, asked.program, asked.start_s, asked.remote, asked.port,
                asked.client_port, asked.udp, ~asked.inbound)  # fmt: skip
    return Planted(**site.facts("listener", made, machine, port)), made
