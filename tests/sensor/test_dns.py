"""Host names from the DNS answers that the process itself received."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from namespaces import Host
from recording import Recording


@contextmanager
def dns_server(host: Host, ip: str) -> Iterator[None]:
    """A DNS server in the namespace, where the addresses that it answers are, too."""
    for address in ("10.53.0.71/32", "fd00:53::71/128", "fd00:53::73/128"):
        host.ip(f"addr add {address} dev lo")
    program = host.start("dns.serve", ip).ready()
    try:
        yield
        program.go_on()
        program.end()
    finally:
        program.kill()


def named(recording: Recording, host: Host, *arguments: str, ip: str = "127.0.0.1") -> None:
    """Run a traffic program beside a DNS server, and assert its events; the server's are not looked at."""
    with dns_server(host, ip):
        recording.expect(host.run(*arguments))


@pytest.mark.parametrize("server", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("plain.example", "A"),
        ("six.example", "AAAA"),
        ("many.example", "A"),
        ("alias.example", "A"),
        ("both.example", "AAAA"),
    ],
)
def test_asked_by_udp(recording: Recording, host: Host, server: str, name: str, kind: str) -> None:
    named(recording, host, "dns.ask_udp", server, name, kind, ip=server)


@pytest.mark.parametrize("name", ["plain.example", "long.example"])
def test_asked_by_tcp(recording: Recording, host: Host, name: str) -> None:
    # The longer answer comes in several segments.
    named(recording, host, "dns.ask_tcp", "127.0.0.1", name)


@pytest.mark.parametrize("name", ["both.example", "alias.example"])
def test_asked_by_the_c_library(recording: Recording, host: Host, name: str) -> None:
    named(recording, host, "dns.libc_asks", "127.0.0.1", name)


def test_asked_by_another_process(recording: Recording, host: Host) -> None:
    # What one process was answered says nothing of what another means by the address.
    with dns_server(host, "127.0.0.1"):
        truth = host.run("dns.ask_udp", "127.0.0.1", "plain.example", "A")
        recording.expect(truth + host.run("dns.not_asked", "10.53.0.71"))
