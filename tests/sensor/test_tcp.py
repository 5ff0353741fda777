"""TCP connections: one event when established, one when accepted."""

from __future__ import annotations

from datetime import datetime

import pytest
from namespaces import Host
from recording import Case, Recording


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_both_ends(exactly: Case, family: str) -> None:
    exactly("tcp.both_ends", family)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_process_that_talks_to_itself(exactly: Case, family: str) -> None:
    exactly("tcp.one_process", family)


def test_the_machines_own_namespace(recording: Recording, this_machine: Host) -> None:
    # There others are busy too: their events are not looked at.
    recording.expect(this_machine.run("tcp.both_ends", "v4"))


def test_v4_mapped_is_shown_as_ipv4(exactly: Case) -> None:
    exactly("tcp.v4_mapped")


def test_calls_that_do_not_wait(exactly: Case) -> None:
    exactly("tcp.nonblocking")


@pytest.mark.parametrize("way", ["accept", "accept4"])
def test_accept_that_does_not_ask_for_the_peer(exactly: Case, way: str) -> None:
    exactly("tcp.accept_by", way)


def test_never_accepted_is_no_event_of_the_server(exactly: Case) -> None:
    exactly("tcp.never_accepted")


def test_accepted_after_the_peer_has_gone(exactly: Case) -> None:
    exactly("tcp.accepted_when_gone")


def test_simultaneous_open(exactly: Case) -> None:
    exactly("tcp.to_itself")


def test_socket_that_connects_anew(exactly: Case) -> None:
    exactly("tcp.reconnected")


def test_ports_reused_at_once(exactly: Case) -> None:
    exactly("tcp.same_port", 100)


def test_time_is_that_of_the_connection(recording: Recording, host: Host) -> None:
    truth = host.run("tcp.timed")
    [looks] = [row["looks_s"] for row in truth if "looks_s" in row]
    for row in recording.expect(truth, host):
        if row["record_kind"] == "connection":
            # Two clocks: within a millisecond.
            time_s = datetime.fromisoformat(row["event_creation_time"]).timestamp()
            assert looks[0] - 0.001 <= time_s <= looks[1]


@pytest.mark.parametrize(("server", "client"), [("mptcp", "mptcp"), ("tcp", "mptcp"), ("mptcp", "tcp")])
def test_mptcp_is_one_connection_of_tcp(exactly: Case, server: str, client: str) -> None:
    exactly("variants.mptcp", server, client)


def test_further_path_of_mptcp_is_no_connection(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    for host, number in ((one, 3), (other, 4)):
        host.ip(f"addr add 10.1.0.{number}/24 dev eth", "mptcp limits set subflows 2 add_addr_accepted 2")
    one.ip("mptcp endpoint add 10.1.0.3 subflow")
    other.ip("mptcp endpoint add 10.1.0.4 signal")
    server = other.start("variants.mptcp_serve", "10.1.0.2", 8000).ready()
    truth = one.run("variants.mptcp_ask", "10.1.0.2", 8000)
    recording.expect(truth + server.end(), one, other)


@pytest.mark.parametrize("way", ["sendto", "connect"])
def test_fast_open(recording: Recording, host: Host, way: str) -> None:
    host.set("net.ipv4.tcp_fastopen", 3)
    recording.expect(host.run("variants.fast_open", way), host)


def test_fast_open_accepted_before_the_handshakes_end(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    # Across a veth with a delay of its own there is time between the SYN, which has data, and the ACK.
    one, other = two_hosts
    for host in two_hosts:
        host.set("net.ipv4.tcp_fastopen", 3)
    server = other.start("variants.fast_open_serve", "10.1.0.2", 8000).ready()
    truth = one.run("variants.fast_open_ask", "10.1.0.2", 8000)
    recording.expect(truth + server.end(), one, other)
