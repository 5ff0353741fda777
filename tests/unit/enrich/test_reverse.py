"""Reverse look-ups against a DNS server on loopback that answers, denies, is silent, or lies."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from procwire.enrich.reverse import ReverseLookup

Reply = Callable[[dns.message.Message], list[bytes]]
LIFETIME_S = 0.5
LONG_S = 30.0


class Server:
    """A DNS server whose replies are what `reply` makes of a query."""

    def __init__(self, folder: Path) -> None:
        self.queries: list[str] = []
        self.reply: Reply = lambda _: []
        self.resolv_conf = folder / "resolv.conf"
        self.resolv_conf.write_text("nameserver 127.0.0.1\n")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def lookup(self, lifetime_s: float = LONG_S) -> ReverseLookup:
        return ReverseLookup(self.resolv_conf, self.port, lifetime_s)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4_096)
            if not data:
                return
            query = dns.message.from_wire(data)
            self.queries.append(query.question[0].name.to_text())
            for reply in self.reply(query):
                self._socket.sendto(reply, client)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


def answering(*targets: str, ttl_s: int = 600) -> Reply:
    def reply(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, ttl_s, "IN", "PTR", *targets))
        return [response.to_wire()]

    return reply


def denying(rcode: dns.rcode.Rcode) -> Reply:
    def reply(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        return [response.to_wire()]

    return reply


def test_an_answer_gives_the_name_in_lower_case(server: Server) -> None:
    server.reply = answering("Host.Example.")
    lookup = server.lookup()
    assert lookup("192.0.2.1") == ("host.example", 600)
    assert lookup("2001:db8::1") == ("host.example", 600)
    assert server.queries[0] == "1.2.0.192.in-addr.arpa."
    assert server.queries[1].endswith(".8.b.d.0.1.0.0.2.ip6.arpa.")
    assert lookup.unanswered == 0


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(0, 60), (59, 60), (61, 61), (3_600, 3_600), (86_400, 3_600)])
def test_an_answer_is_kept_as_long_as_it_says_within_bounds(server: Server, ttl_s: int, kept_s: int) -> None:
    server.reply = answering("host.example.", ttl_s=ttl_s)
    assert server.lookup()("192.0.2.1").kept_s == kept_s


def test_of_several_names_it_is_the_same_each_time(server: Server) -> None:
    for targets in (("b.example.", "a.example."), ("a.example.", "b.example.")):
        server.reply = answering(*targets)
        assert server.lookup()("192.0.2.1").value == "a.example"


def test_odd_bytes_in_a_name_are_escaped(server: Server) -> None:
    """A terminal must not obey what a stranger's reverse zone says."""
    server.reply = answering(r"a\027[31m\.b.example.")
    assert server.lookup()("192.0.2.1").value == r"a\027[31m\.b.example"


def test_no_such_name_is_kept_five_minutes(server: Server) -> None:
    server.reply = denying(dns.rcode.NXDOMAIN)
    lookup = server.lookup()
    assert lookup("192.0.2.1") == (None, 300)
    assert lookup.unanswered == 0
    server.reply = denying(dns.rcode.NOERROR)
    assert lookup("192.0.2.1") == (None, 300)


def test_a_server_that_fails_is_asked_again_soon(server: Server) -> None:
    server.reply = denying(dns.rcode.SERVFAIL)
    lookup = server.lookup()
    assert lookup("192.0.2.1") == (None, 60)
    assert lookup.unanswered == 1


def test_silence_costs_its_time_and_no_more(server: Server) -> None:
    lookup = server.lookup(LIFETIME_S)
    assert lookup("192.0.2.1") == (None, 60)
    assert lookup.unanswered == 1
    assert server.queries


def test_a_resolver_silent_for_long_is_not_asked_for_a_while(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its questions would pile up; one that answers again is taken up again."""
    monkeypatch.setattr("procwire.enrich.reverse._SILENCES", 2)
    lookup = server.lookup(0.05)
    for _ in range(2):
        lookup("192.0.2.1")
    asked = len(server.queries)
    server.reply = answering("host.example.")
    assert lookup("192.0.2.1") == (None, 60)
    assert (len(server.queries), lookup.unanswered) == (asked, 3)
    lookup._pause_until_s = 0.0
    lookup._lifetime_s = LONG_S
    server.resolv_conf.write_text("nameserver 127.0.0.1\n# changed\n")
    monkeypatch.setattr("procwire.files.watching._LOOK_AGAIN_S", 0.0)
    lookup._resolver._look_again_s = 0.0
    assert lookup("192.0.2.1").value == "host.example"


def test_zones_whose_servers_are_down_take_no_names_from_others(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever connects to addresses that no server names does not stop the resolver from being asked about others."""
    monkeypatch.setattr("procwire.enrich.reverse._SILENCES", 2)

    def reply(query: dns.message.Message) -> list[bytes]:
        if query.question[0].name == dns.name.root:
            return denying(dns.rcode.REFUSED)(query)
        return [] if "66" in query.question[0].name.to_text() else answering("host.example.")(query)

    server.reply = reply
    lookup = server.lookup(LIFETIME_S)
    for last in range(4):
        assert lookup(f"66.0.2.{last}").value is None
    assert lookup("192.0.2.1").value == "host.example"
    assert server.queries.count(".") == 2


def test_garbage_and_answers_to_other_questions_are_not_believed(server: Server) -> None:
    """A reply with another id or name is skipped; the right one is awaited."""
    true = answering("true.example.")

    def reply(query: dns.message.Message) -> list[bytes]:
        [wire] = answering("forged.example.")(query)
        wrong_id = bytes([wire[0] ^ 0xFF]) + wire[1:]
        other = dns.message.make_query("9.9.9.9.in-addr.arpa.", "PTR", id=query.id)
        [wrong_name] = answering("forged.example.")(other)
        return [b"garbage", wrong_id, wrong_name, query.to_wire()[:20], *true(query)]

    server.reply = reply
    assert server.lookup()("192.0.2.1").value == "true.example"


def test_only_garbage_is_no_answer(server: Server) -> None:
    server.reply = lambda query: [b"\xff" * 40, query.to_wire()]
    lookup = server.lookup(LIFETIME_S)
    assert lookup("192.0.2.1") == (None, 60)
    assert lookup.unanswered == 1


@pytest.mark.parametrize("text", ["", "search example\n", "nameserver\n"])
def test_without_a_resolver_nothing_is_asked(tmp_path: Path, text: str) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)
    for resolv_conf in (path, tmp_path / "none"):
        lookup = ReverseLookup(resolv_conf)
        assert lookup("192.0.2.1") == (None, 60)
        assert lookup.unanswered == 1


def test_a_port_where_nobody_listens_is_no_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\n")
    assert ReverseLookup(path, port, LIFETIME_S)("192.0.2.1") == (None, 60)
