"""UDP flows: one event for each socket and peer, by the direction of the first datagram."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from namespaces import Host, link
from recording import Case, Recording
from traffic.udp import RECEIVE, SEND


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_question_and_answers_are_one_flow(exactly: Case, family: str) -> None:
    exactly("udp.exchange", family)


def test_the_machines_own_namespace(recording: Recording, this_machine: Host) -> None:
    recording.expect(this_machine.run("udp.exchange", "v4"))


@pytest.mark.parametrize("way", SEND)
def test_sent_by_socket_that_is_not_connected(exactly: Case, way: str) -> None:
    exactly("udp.sent_by", way)


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_sent_by_connected_socket(exactly: Case, family: str) -> None:
    exactly("udp.sent_connected", family)


@pytest.mark.parametrize("way", RECEIVE)
def test_received_by_whom_the_socket_was_handed_to(exactly: Case, way: str) -> None:
    exactly("udp.received_by", way)


def test_both_ends_connected(exactly: Case) -> None:
    exactly("udp.received_connected")


def test_one_socket_to_many_peers(exactly: Case) -> None:
    exactly("udp.many_peers", 50)


def test_one_socket_from_many_peers(exactly: Case) -> None:
    exactly("udp.many_senders", 50)


def test_reply_is_no_second_flow(exactly: Case) -> None:
    exactly("udp.reply_first")


def test_never_read_is_the_owners(exactly: Case) -> None:
    exactly("udp.never_read")


def test_port_that_is_closed(exactly: Case) -> None:
    exactly("udp.closed_port")


def test_port_that_is_closed_and_then_open(exactly: Case) -> None:
    exactly("udp.opened_late")


def test_port_that_is_closed_for_socket_without_peer(exactly: Case) -> None:
    exactly("udp.closed_port_unconnected")


def test_refused_is_no_flow_where_no_attempts_are_asked_for(host: Host) -> None:
    with Recording() as recording:
        truth = host.run("udp.opened_late")
        recording.expect([row for row in truth if row["record_kind"] != "attempt"], host)


def test_flow_after_a_refusal_soon_after_boot(host: Host) -> None:
    # Soon: the machine is up for less than a flow may be silent.
    with Recording("--attempts", "--udp-idle", "9999h") as recording:
        recording.expect(host.run("udp.opened_late"), host)


def test_v4_mapped_is_shown_as_ipv4(exactly: Case) -> None:
    exactly("udp.v4_mapped")


def test_addresses_are_those_on_the_wire(exactly: Case) -> None:
    exactly("udp.true_peer")


def test_segmented_by_the_kernel(exactly: Case) -> None:
    exactly("udp.segmented")


def test_empty_datagram(exactly: Case) -> None:
    exactly("udp.empty")


def test_same_ports_by_new_sockets(exactly: Case) -> None:
    exactly("udp.rebound")


def test_other_sockets_are_none_of_ours(exactly: Case) -> None:
    exactly("udp.not_udp")


@pytest.mark.parametrize(("source", "to"), [("10.1.0.1", "10.1.0.2"), ("fd00:1::1", "fd00:1::2")])
@pytest.mark.parametrize("size", [5, 20_000])
def test_two_hosts(recording: Recording, two_hosts: tuple[Host, Host], source: str, to: str, size: int) -> None:
    # The larger datagram travels in fragments.
    one, other = two_hosts
    listener = other.start("udp.listen", to, 9000, "", "", size).ready()
    truth = one.run("udp.speak", source, to, 9000, "", size)
    recording.expect(truth + listener.end(), one, other)


def test_broadcast(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    listener = other.start("udp.listen", "", 9000, "10.1.0.255").ready()
    truth = one.run("udp.speak", "10.1.0.1", "10.1.0.255", 9000)
    recording.expect(truth + listener.end(), one, other)


@pytest.mark.parametrize(("source", "group"), [("10.1.0.1", "239.1.2.3"), ("fd00:1::1", "ff05::1234")])
def test_multicast(recording: Recording, two_hosts: tuple[Host, Host], source: str, group: str) -> None:
    # Heard by two sockets on the other host, and by two on the one that speaks.
    one, other = two_hosts
    one.ip("route add 239.0.0.0/8 dev eth")
    local = "::" if ":" in group else ""
    listeners = [host.start("udp.listen", local, 9000, group, "eth").ready() for host in two_hosts]
    truth = one.run("udp.speak", source, group, 9000, "eth")
    for listener in listeners:
        truth += listener.end()
    recording.expect(truth, one, other)


def test_flow_is_told_again_after_silence(host: Host) -> None:
    with Recording("--udp-idle", "1s") as recording:
        recording.expect(host.run("udp.idle", 1), host)


def test_flow_keeps_its_direction_after_silence(host: Host) -> None:
    with Recording("--udp-idle", "1s") as recording:
        recording.expect(host.run("udp.answered_after_silence", 1), host)


def test_addresses_of_a_socket_that_is_bound_to_none(exactly: Case) -> None:
    exactly("udp.three_addresses")


def test_answer_from_another_address(exactly: Case) -> None:
    exactly("udp.answered_from_elsewhere")


def test_link_local_addresses_on_two_interfaces(recording: Recording, new_host: Callable[[], Host]) -> None:
    one, other = new_host(), new_host()
    names = ("eth", "eth2")
    for subnet, name in enumerate(names, 1):
        link(one, other, name, subnet)
        for number, end in enumerate((one, other), 1):
            # Each has one address of this kind only.
            end.ip(f"addr flush dev {name} scope link", f"addr add fe80::{number}/64 dev {name} nodad")
    listener = other.start("udp.link_local", "listen", 9000, *names).ready()
    truth = one.run("udp.link_local", "speak", 9000, *names)
    recording.expect(truth + listener.end(), one, other)


@pytest.mark.long
@pytest.mark.parametrize("filler", ["flows", "flows_of_many_users"])
def test_flows_that_another_user_makes(two_hosts: tuple[Host, Host], host: Host, filler: str) -> None:
    """More than the kernel side keeps: they make nobody else's flow look new, whichever subordinate ids they have."""
    other = two_hosts[0]
    with Recording("--where", f"network_namespace_id <> {other.id}") as recording:
        program = host.start("udp.goes_on", 40).ready()
        others = other.start(f"fillers.{filler}", 100_000).ready()
        program.go_on()
        recording.expect(program.end(), host)
        others.go_on()
        others.end()
