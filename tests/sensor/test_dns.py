"""Host names from the DNS answers to what the process itself asked, and from no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from namespaces import Host
from recording import Recording


@contextmanager
def dns_server(host: Host, ip: str) -> Iterator[None]:
    """A DNS server in the namespace, where the addresses that it answers are, too."""
    for address in ("10.53.0.71/32", "10.53.0.76/32", "10.53.0.77/32", "fd00:53::71/128", "fd00:53::73/128"):
        host.ip(f"addr add {address} dev lo")
    program = host.start("dns.serve", ip).ready()
    try:
        yield
        program.go_on()
        program.end()
    finally:
        program.kill()


@contextmanager
def lying_server(host: Host) -> Iterator[None]:
    """A DNS server that sends what is no answer to the question."""
    host.ip("addr add 10.53.0.66/32 dev lo", "addr add 10.53.0.67/32 dev lo")
    program = host.start("lies.serve").ready()
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
        # Letters in any case, as resolvers write them at random; the answer has others.
        ("mIxEd.eXaMpLe", "A"),
    ],
)
def test_asked_by_udp(recording: Recording, host: Host, server: str, name: str, kind: str) -> None:
    named(recording, host, "dns.ask_udp", server, name, kind, ip=server)


@pytest.mark.parametrize("name", ["plain.example", "long.example"])
def test_asked_by_tcp(recording: Recording, host: Host, name: str) -> None:
    # The longer answer comes in several segments.
    named(recording, host, "dns.ask_tcp", "127.0.0.1", name)


# The last is asked for by UDP first, and then by TCP.
@pytest.mark.parametrize("name", ["both.example", "alias.example", "cut.example"])
def test_asked_by_the_c_library(recording: Recording, host: Host, name: str) -> None:
    named(recording, host, "dns.libc_asks", "127.0.0.1", name)


def test_asked_by_another_process(recording: Recording, host: Host) -> None:
    # What one process was answered says nothing of what another means by the address.
    with dns_server(host, "127.0.0.1"):
        truth = host.run("dns.ask_udp", "127.0.0.1", "plain.example", "A")
        recording.expect(truth + host.run("dns.not_asked", "10.53.0.71"))


def test_only_the_beginning_of_a_long_answer_is_looked_at(recording: Recording, host: Host) -> None:
    named(recording, host, "dns.ask_with_edns", "127.0.0.1", "huge.example")


def test_an_answer_is_whose_question_it_is_to(recording: Recording, host: Host) -> None:
    # Whoever else reads it from a shared socket.
    named(recording, host, "dns.share", "127.0.0.1")


def test_a_user_who_asks_without_end_takes_no_name_from_others(recording: Recording, host: Host) -> None:
    named(recording, host, "dns.ask_among_many", "127.0.0.1")


def test_a_resolver_and_who_asks_it_have_names_of_their_own(recording: Recording, host: Host) -> None:
    with dns_server(host, "127.0.0.1"):
        resolver = host.start("dns.forward", "127.0.0.53", "127.0.0.1").ready()
        truth = host.run("dns.ask_udp", "127.0.0.53", "plain.example", "A")
        recording.expect(truth + resolver.end())


@pytest.mark.parametrize("lie", ["id", "every-other-id", "name", "type", "twice", "host", "port", "socket"])
def test_what_is_no_answer_to_the_question_names_nothing(recording: Recording, host: Host, lie: str) -> None:
    with lying_server(host):
        recording.expect(host.run("lies.believe", lie))


def test_an_answer_to_no_question_names_nothing(recording: Recording, host: Host) -> None:
    with lying_server(host):
        recording.expect(host.run("lies.answer_oneself"))


def test_forged_answers_are_counted(host: Host) -> None:
    with Recording() as recording, lying_server(host):
        for lie in ("id", "socket"):
            recording.expect(host.run("lies.believe", lie))
        _, ledger = recording.end()
    assert ledger["warnings"]["DNS answers to no question"] == 1
    assert ledger["warnings"]["DNS answers to sockets that asked nothing"] == 1


def test_a_forged_name_excludes_nothing(host: Host, tmp_path: Path) -> None:
    rules = tmp_path / "rules.xml"
    # Whoever could give this name to an address would not be recorded.
    rules.write_text(
        '<Sysmon schemaversion="4.90"><EventFiltering><RuleGroup groupRelation="or"><NetworkConnect onmatch="exclude">'
        '<DestinationHostname condition="is">updates.example</DestinationHostname>'
        '<DestinationHostname condition="is">twice.0.example</DestinationHostname>'
        "</NetworkConnect></RuleGroup></EventFiltering></Sysmon>"
    )
    with Recording(config=rules) as recording, lying_server(host):
        recording.expect(host.run("lies.answer_oneself"))
        truth = host.run("lies.believe", "twice")
        # What has the name by right is excluded, and nothing else.
        recording.expect([row for row in truth if row.get("dst_host_name") != "twice.0.example"])
