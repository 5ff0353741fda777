"""Addresses that the host translates: one event for each end, with the addresses that its socket sees."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from namespaces import Host
from recording import Recording

_NFT = shutil.which("nft")


def _hindrance() -> str | None:
    """Why no address can be translated here; None if some can."""
    if _NFT is None:
        return "no nft on the path (Debian's package nftables)"
    rules = "add table ip t; add chain ip t c { type nat hook output priority -100; }"
    tried = subprocess.run(["unshare", "--net", _NFT, rules], capture_output=True, check=False)
    return None if tried.returncode == 0 else f"this kernel translates no addresses: {tried.stderr.decode().strip()}"


_HINDRANCE = _hindrance()
pytestmark = pytest.mark.skipif(_HINDRANCE is not None, reason=str(_HINDRANCE))


def translate(host: Host, *rules: str, family: str = "ip") -> None:
    """Add rules to a host: `output ...` for what it sends, `postrouting ...` for what leaves."""
    chains = "".join(
        f"add chain {family} nat {name} {{ type nat hook {name} priority {priority}; }}\n"
        for name, priority in (("output", -100), ("postrouting", 100))
    )
    host.nft(f"add table {family} nat\n" + chains + "".join(f"add rule {family} nat {rule}\n" for rule in rules))


WAYS = ["connected", "unconnected"]


@pytest.mark.parametrize("way", WAYS)
def test_name_server_of_docker(recording: Recording, host: Host, way: str) -> None:
    """127.0.0.11:53 is another port of the same host, and the answers are translated back."""
    translate(
        host,
        "output ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:41234",
        "postrouting ip saddr 127.0.0.11 udp sport 41234 snat to :53",
    )
    server = host.start("nat.serve_udp", "127.0.0.11", 41234, 3, "127.0.0.1").ready()
    truth = host.run("nat.ask_udp", way, "", "127.0.0.1", "127.0.0.11", 53, "127.0.0.11", 41234, 3)
    recording.expect(truth + server.end(), host)


@pytest.mark.parametrize("way", WAYS)
def test_service_of_kubernetes(recording: Recording, two_hosts: tuple[Host, Host], way: str) -> None:
    """An address that no host has stands for another host's."""
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(one, "output ip daddr 10.96.0.10 udp dport 53 dnat to 10.1.0.2:5353")
    server = other.start("nat.serve_udp", "10.1.0.2", 5353, 3, "10.1.0.1").ready()
    truth = one.run("nat.ask_udp", way, "", "10.1.0.1", "10.96.0.10", 53, "10.1.0.2", 5353, 3)
    recording.expect(truth + server.end(), one, other)


def test_redirected_to_a_proxy_of_the_host(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(one, "output udp dport 53 redirect to :5300")
    proxy = one.start("nat.serve_udp", "127.0.0.1", 5300, 3, "10.1.0.1").ready()
    truth = one.run("nat.ask_udp", "unconnected", "", "10.1.0.1", "8.8.8.8", 53, "127.0.0.1", 5300, 3)
    recording.expect(truth + proxy.end(), one, other)


@pytest.mark.parametrize("way", WAYS)
def test_source_that_is_translated(recording: Recording, two_hosts: tuple[Host, Host], way: str) -> None:
    one, other = two_hosts
    one.ip("addr add 10.88.0.1/32 dev lo")
    translate(one, "postrouting oif eth udp dport 9000 snat to 10.1.0.1:50000")
    server = other.start("nat.serve_udp", "10.1.0.2", 9000, 3, "10.1.0.1").ready()
    truth = one.run("nat.ask_udp", way, "10.88.0.1", "10.88.0.1", "10.1.0.2", 9000, "", 50000, 3)
    recording.expect(truth + server.end(), one, other)


def test_service_of_kubernetes_by_tcp(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(one, "output ip daddr 10.96.0.10 tcp dport 80 dnat to 10.1.0.2:8080")
    server = other.start("nat.serve_tcp", "10.1.0.2", 8080).ready()
    truth = one.run("nat.ask_tcp", "10.96.0.10", 80, "10.1.0.2", 8080)
    recording.expect(truth + server.end(), one, other)


def test_service_of_kubernetes_where_tcp_alone_is_recorded(two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(one, "output ip daddr 10.96.0.10 tcp dport 80 dnat to 10.1.0.2:8080")
    with Recording("--protocol", "tcp") as recording:
        server = other.start("nat.serve_tcp", "10.1.0.2", 8080).ready()
        truth = one.run("nat.ask_tcp", "10.96.0.10", 80, "10.1.0.2", 8080)
        recording.expect(truth + server.end(), one, other)


def test_redirected_by_tcp(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(one, "output tcp dport 443 redirect to :15001")
    proxy = one.start("nat.serve_tcp", "127.0.0.1", 15001).ready()
    truth = one.run("nat.ask_tcp", "8.8.8.8", 443, "127.0.0.1", 15001)
    recording.expect(truth + proxy.end(), one, other)


@pytest.mark.parametrize("way", WAYS)
def test_service_of_kubernetes_by_ipv6(recording: Recording, two_hosts: tuple[Host, Host], way: str) -> None:
    one, other = two_hosts
    one.ip("route add default via fd00:1::2")
    translate(one, "output ip6 daddr fd00:96::10 udp dport 53 dnat to [fd00:1::2]:5353", family="ip6")
    server = other.start("nat.serve_udp", "fd00:1::2", 5353, 3, "fd00:1::1").ready()
    truth = one.run("nat.ask_udp", way, "", "fd00:1::1", "fd00:96::10", 53, "fd00:1::2", 5353, 3)
    recording.expect(truth + server.end(), one, other)


def test_service_of_kubernetes_by_tcp_and_ipv6(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    one.ip("route add default via fd00:1::2")
    translate(one, "output ip6 daddr fd00:96::10 tcp dport 80 dnat to [fd00:1::2]:8080", family="ip6")
    server = other.start("nat.serve_tcp", "fd00:1::2", 8080).ready()
    truth = one.run("nat.ask_tcp", "fd00:96::10", 80, "fd00:1::2", 8080)
    recording.expect(truth + server.end(), one, other)


@pytest.mark.parametrize("way", WAYS)
def test_ipv4_of_an_ipv6_socket_is_translated_too(recording: Recording, two_hosts: tuple[Host, Host], way: str) -> None:
    one, other = two_hosts
    one.ip("route add default via 10.1.0.2")
    translate(
        one,
        "output ip daddr 10.96.0.10 udp dport 53 dnat to 10.1.0.2:5353",
        "output ip daddr 10.96.0.10 tcp dport 80 dnat to 10.1.0.2:8080",
    )
    server = other.start("nat.serve_udp", "10.1.0.2", 5353, 3, "10.1.0.1").ready()
    truth = one.run("nat.ask_udp", way, "", "10.1.0.1", "::ffff:10.96.0.10", 53, "10.1.0.2", 5353, 3)
    listener = other.start("nat.serve_tcp", "10.1.0.2", 8080).ready()
    truth += one.run("nat.ask_tcp", "::ffff:10.96.0.10", 80, "10.1.0.2", 8080)
    recording.expect(truth + server.end() + listener.end(), one, other)
