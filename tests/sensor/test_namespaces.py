"""Network namespaces: hosts of their own on the same kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from namespaces import Host, link
from recording import Recording


@pytest.mark.parametrize("ip", ["10.1.0.2", "fd00:1::2"])
def test_two_hosts(recording: Recording, two_hosts: tuple[Host, Host], ip: str) -> None:
    one, other = two_hosts
    server = other.start("tcp.serve", ip, 8000, 3).ready()
    truth = [row for _ in range(3) for row in one.run("tcp.ask", ip, 8000)]
    recording.expect(truth + server.end(), one, other)


def test_same_addresses_in_two_namespaces(recording: Recording, new_host: Callable[[], Host]) -> None:
    # The same ports at the same time: what distinguishes them is the namespace.
    hosts = [new_host(), new_host()]
    servers = [host.start("tcp.serve", "127.0.0.1", 8000, 1).ready() for host in hosts]
    clients = [host.start("tcp.ask_from", "127.0.0.1", 8000, 4000) for host in hosts]
    truth = [row for program in (*clients, *servers) for row in program.end()]
    assert len({row["network_namespace_id"] for row in truth}) == 2
    recording.expect(truth, *hosts)


@pytest.mark.parametrize(("version", "a", "b"), [(4, "10.1.0.1", "10.2.0.2"), (6, "fd00:1::1", "fd00:2::2")])
def test_forwarded_packets_are_nobodys(
    recording: Recording, new_host: Callable[[], Host], version: int, a: str, b: str
) -> None:
    one, router, other = new_host(), new_host(), new_host()
    link(one, router, "left", 1)
    link(router, other, "right", 2)
    router.set("net.ipv4.ip_forward", 1)
    router.set("net.ipv6.conf.all.forwarding", 1)
    gateways = {4: ("10.1.0.2", "10.2.0.1"), 6: ("fd00:1::2", "fd00:2::1")}[version]
    for host, gateway in zip((one, other), gateways, strict=True):
        host.ip(f"route add default via {gateway}")
    # Someone in the router's namespace, with sockets of the same ports.
    idle = [router.start("tcp.wait", 8000), router.start("udp.wait", 9000)]
    for program in idle:
        program.ready()
    server = other.start("tcp.serve", b, 8000, 1).ready()
    listener = other.start("udp.listen", b, 9000).ready()
    truth = one.run("tcp.ask", b, 8000) + one.run("udp.speak", a, b, 9000)
    truth += server.end() + listener.end()
    for program in idle:
        program.go_on()
        assert program.end() == []
    recording.expect(truth, one, router, other)
