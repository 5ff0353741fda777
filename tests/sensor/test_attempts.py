"""TCP connections that do not come to be: why, and the kernel's errno."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from namespaces import Host, link
from recording import Case, Recording

SILENT = "10.1.0.9"


@pytest.fixture
def dead_end(two_hosts: tuple[Host, Host]) -> Host:
    """A host, 10.1.0.1, on whose network 10.1.0.9 is thought to be: frames to it go to a card that nobody has."""
    two_hosts[0].ip(f"neigh add {SILENT} lladdr 02:00:00:00:00:09 dev eth")
    return two_hosts[0]


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_refused(exactly: Case, family: str) -> None:
    exactly("attempts.refused", family)


def test_refused_without_waiting(exactly: Case) -> None:
    exactly("attempts.refused_nonblocking")


def test_refused_then_connected(exactly: Case) -> None:
    exactly("attempts.refused_then_connected")


def test_timed_out(recording: Recording, dead_end: Host) -> None:
    recording.expect(dead_end.run("attempts.timed_out", "10.1.0.1", SILENT), dead_end)


def test_abandoned(recording: Recording, dead_end: Host) -> None:
    recording.expect(dead_end.run("attempts.abandoned", "10.1.0.1", SILENT), dead_end)


def test_reset_in_the_middle_of_the_handshake(
    recording: Recording, two_hosts: tuple[Host, Host], dead_end: Host
) -> None:
    # By a peer that opens at the same time: nothing else lets a connection be reset that is neither new nor made.
    peer = two_hosts[1].start("forged.open_and_reset", "eth", SILENT).ready()
    truth = dead_end.run("attempts.reset", "10.1.0.1", SILENT)
    recording.expect(truth + peer.end(), *two_hosts)


def test_no_route(exactly: Case) -> None:
    exactly("attempts.unreachable", "10.9.9.9", "ENETUNREACH")


def test_no_route_of_ipv6(exactly: Case) -> None:
    exactly("attempts.unreachable", "fd00:9::9", "ENETUNREACH")


def test_route_that_says_unreachable(recording: Recording, host: Host) -> None:
    host.ip("route add unreachable 10.9.9.0/24")
    recording.expect(host.run("attempts.unreachable", "10.9.9.9", "EHOSTUNREACH"), host)


def test_router_that_says_unreachable(recording: Recording, new_host: Callable[[], Host]) -> None:
    one, router = new_host(), new_host()
    link(one, router, "eth", 1)
    one.ip("route add default via 10.1.0.2")
    router.set("net.ipv4.ip_forward", 1)
    router.ip("route add unreachable 10.9.9.0/24")
    recording.expect(one.run("attempts.unreachable", "10.9.9.9", "EHOSTUNREACH", "10.1.0.1"), one, router)


def test_forbidden(recording: Recording, host: Host) -> None:
    host.ip("route add prohibit 10.9.9.0/24")
    recording.expect(host.run("attempts.prohibited", "10.9.9.9"), host)


def test_mistakes_in_the_call_are_no_attempts(exactly: Case) -> None:
    exactly("attempts.mistakes")
