"""Hunts that leave most events out before they count: held to counts that leave nothing out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_rows import Row
from hunting_ground import HOUR_S, START, found, row

Key = tuple[Any, ...]

# Ports that are alike in one digit of base 41, or in two; the first and the last.
_PORTS = [0, 22, 80, 443, 22 + 41, 22 + 82, 22 + 1681, 22 + 2 * 1681, 65_535, None]
_ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "203.0.113.1", "203.0.113.2", "224.0.0.251", "fd00::1", None]
CALLS = st.fixed_dictionaries(
    {
        "at_s": st.integers(0, 3 * HOUR_S),
        "process_name": st.sampled_from(["C:\\a.exe", "C:\\b.exe", None]),
        "dst_ip": st.sampled_from(_ADDRESSES),
        "dst_port": st.sampled_from(_PORTS),
        "record_kind": st.sampled_from(["connection", "connection", "attempt", "close"]),
        "network_connection_initiated": st.sampled_from([True, True, True, False]),
    }
)
LOGS = st.lists(CALLS, max_size=60).map(lambda calls: [row(**call) for call in calls])  # type: ignore[arg-type]


def grouped(made: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Outbound connections and attempts, by a key."""
    groups: dict[Key, list[Row]] = defaultdict(list)
    for call in made:
        if call["network_connection_initiated"] and call["dst_ip"] and call["record_kind"] != "close":
            groups[key(call)].append(call)
    return groups


def worst(counts: dict[Key, int], least: int) -> dict[Key, int]:
    """Of each pair the highest count of its windows, the last part of the key, from `least` on."""
    highest: dict[Key, int] = {}
    for (*pair, _), count in counts.items():
        if count >= least:
            highest[tuple(pair)] = max(count, highest.get(tuple(pair), 0))
    return highest


def window(call: Row, start: Any = START) -> int:
    return int((call["event_creation_time"] - start).total_seconds() // HOUR_S)


@settings(max_examples=25, deadline=None)
@given(LOGS, st.integers(1, 4))
def test_port_scans_counts_every_port(made: list[Row], least: int) -> None:
    groups = grouped(made, lambda call: (call["process_name"], call["dst_ip"], window(call)))
    counts = {key: len({call["dst_port"] for call in calls} - {None}) for key, calls in groups.items()}
    hits = found("port_scans", made, min_ports=least)
    assert {(hit["process_name"], hit["dst_ip"]): hit["ports"] for hit in hits} == worst(counts, least)


@pytest.mark.parametrize("step", [1, 41, 1681, 1 + 41, 1 + 1681, 41 + 1681, 1 + 41 + 1681])
def test_port_scans_finds_ports_of_any_step(step: int) -> None:
    """Not one of its numbers of digits may be missed: 15 ports that differ in each, or any, of them."""
    scan = [row(number, dst_ip="10.1.0.7", dst_port=number * step) for number in range(15)]
    assert [hit["ports"] for hit in found("port_scans", scan)] == [15]


@settings(max_examples=25, deadline=None)
@given(LOGS, st.integers(1, 3), st.booleans())
def test_fan_out_counts_every_host(made: list[Row], least: int, web: bool) -> None:
    """But for the internet's web ports, if not asked for, and multicast."""
    groups = grouped(made, lambda call: (call["process_name"], call["dst_port"], window(call)))
    counts = {
        key: len({call["dst_ip"] for call in calls if web or not is_web(call)} - {"224.0.0.251"})
        for key, calls in groups.items()
    }
    hits = found("fan_out", made, min_hosts=least, web=web)
    assert {(hit["process_name"], hit["dst_port"]): hit["hosts"] for hit in hits} == worst(counts, least)


def is_web(call: Row) -> bool:
    return call["dst_port"] in (80, 443) and call["dst_ip"].startswith("203.")


@settings(max_examples=25, deadline=None)
@given(LOGS, st.integers(1, 4))
def test_strobes_counts_every_connection(made: list[Row], least: int) -> None:
    """Windows begin with the first event of all."""
    start = min((call["event_creation_time"] for call in made), default=START)
    groups = grouped(made, lambda call: (call["process_name"], call["dst_ip"], call["dst_port"], window(call, start)))
    counts = {key: len(calls) for key, calls in groups.items()}
    hits = found("strobes", made, connections=least, hours=1)
    assert {(hit["process_name"], hit["dst_ip"], hit["dst_port"]): hit["connections"] for hit in hits} == worst(
        counts, least
    )


@settings(max_examples=25, deadline=None)
@given(LOGS)
def test_listeners_counts_every_client(made: list[Row]) -> None:
    """The same calls as the other end has them."""
    inbound = [
        each | {"network_connection_initiated": False, "src_ip": each["dst_ip"], "dst_ip": "10.0.0.5"} for each in made
    ]
    clients: dict[Key, list[Any]] = defaultdict(list)
    for call in inbound:
        if call["record_kind"] == "connection" and call["src_ip"]:
            clients[call["process_name"], service(call["dst_port"])].append(call["src_ip"])
    hits = {
        (hit["process_name"], service(hit["port"])): (hit["clients"], hit["connections"])
        for hit in found("listeners", inbound, max_share=1)
    }
    assert hits == {key: (len(set(addresses)), len(addresses)) for key, addresses in clients.items()}


def service(port: int | None) -> int:
    """Ports that were handed out are one, and so is one that is not known."""
    return 49_152 if port is None else min(port, 49_152)
