"""Names that a process asks a DNS server for, before it connects to what was answered."""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress

from traffic import libc
from traffic.children import fork, reap
from traffic.tcp import connect
from traffic.witness import Row, Witness

_PORT = 53
_A, _CNAME, _AAAA = 1, 5, 28
_TRUNCATED = 0x0200
_ANSWER = 0x8180
_SIZE = 65536
_TTL_S = 60

# What the server answers: a name has addresses, or is another's.
ZONE = {
    "plain.example": ["10.53.0.71"],
    "six.example": ["fd00:53::71"],
    "many.example": [f"127.0.0.{number}" for number in range(81, 89)],
    "alias.example": ["target.example"],
    "target.example": ["127.0.0.72"],
    # Too long for UDP: its answer comes by TCP.
    "long.example": [f"127.0.1.{number}" for number in range(1, 250)],
    # Likewise, though short: the C library asks again with each larger buffer that it needs.
    "cut.example": ["127.0.0.77"],
    "both.example": ["127.0.0.73", "fd00:53::73"],
    # Its answer has the question in lower case, however that was asked.
    "mixed.example": ["127.0.0.74"],
    # Longer than what is looked at of an answer.
    "huge.example": [f"127.0.{2 + number // 200}.{number % 200 + 1}" for number in range(300)] + ["10.53.0.77"],
    # Answered once somebody asks for the other.
    "slow.example": ["127.0.0.75"],
    "now.example": ["10.53.0.76"],
}


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def question(name: str, kind: int = _A, number: int = 4711) -> bytes:
    """A query."""
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + _encoded(name) + struct.pack("!2H", kind, 1)


def asked(query: bytes) -> tuple[str, int, bytes]:
    """The name and type that a query asks for, and its question as it stands."""
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += 1 + query[place]
    return ".".join(labels), struct.unpack_from("!H", query, place + 1)[0], query[12 : place + 5]


def _records(name: str, kind: int, owner: bytes = b"\xc0\x0c") -> Iterator[bytes]:
    for value in ZONE.get(name.lower(), ()):
        if value in ZONE:
            target = _encoded(value)
            yield owner + struct.pack("!2HIH", _CNAME, 1, _TTL_S, len(target)) + target
            yield from _records(value, kind, target)
            continue
        family = socket.AF_INET6 if ":" in value else socket.AF_INET
        if kind == (_AAAA if ":" in value else _A):
            address = socket.inet_pton(family, value)
            yield owner + struct.pack("!2HIH", kind, 1, _TTL_S, len(address)) + address


def _answer(query: bytes, limit: int) -> bytes:
    name, kind, wire = asked(query)
    if name.lower() == "mixed.example":
        wire = wire[:-4].lower() + wire[-4:]
    records = list(_records(name, kind))
    flags = _ANSWER
    if sum(map(len, records)) > limit or (name == "cut.example" and limit < _SIZE):
        flags, records = flags | _TRUNCATED, []
    return query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0) + wire + b"".join(records)


def _serve_udp(server: socket.socket) -> None:
    slow = []
    while True:
        query, sender = server.recvfrom(_SIZE)
        name = asked(query)[0]
        if name == "slow.example":
            slow.append((query, sender))
        elif name != "never.example":
            server.sendto(_answer(query, _limit(query)), sender)
        while name == "now.example" and slow:
            query, sender = slow.pop()
            server.sendto(_answer(query, 480), sender)


def _limit(query: bytes) -> int:
    """Bytes of records that the client takes; with EDNS it says so."""
    extended = query[10:12] == b"\0\1"
    return int(struct.unpack_from("!H", query, len(query) - 8)[0]) if extended else 480


def _serve_tcp(listener: socket.socket) -> None:
    while True:
        client = listener.accept()[0]
        with client, client.makefile("rb") as queries, suppress(ConnectionError):
            while length := queries.read(2):
                answer = _answer(queries.read(struct.unpack("!H", length)[0]), _SIZE)
                whole = struct.pack("!H", len(answer)) + answer
                for start in range(0, len(whole), 1000):
                    client.sendall(whole[start : start + 1000])


def serve(witness: Witness, ip: str, port: str = str(_PORT)) -> None:
    """A DNS server, until stdin ends. Its own events are its own business: they are not told."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((ip, int(port)))
    tcp = socket.create_server((ip, int(port)), family=family)
    for work, sock in ((_serve_udp, udp), (_serve_tcp, tcp)):
        threading.Thread(target=work, args=(sock,), daemon=True).start()
    # Where the names lead to.
    web = socket.create_server(("::", 8000), family=socket.AF_INET6, dualstack_ipv6=True)
    witness.tell({"ready": True})
    sys.stdin.read()
    web.close()


def tell(witness: Witness, ip: str, name: str | None, server: str | None = None) -> None:
    """Connect to an address, which has that name from that server."""
    row: Row = {"host_name_server": server, "dst_host_name": name, "dst_host_name_origin": "dns" if name else None}
    with connect(witness, (ip, 8000), socket.AF_INET6 if ":" in ip else socket.AF_INET, **row):
        pass


def ask_udp(witness: Witness, server: str, name: str, kind: str) -> None:
    """Ask by UDP, and connect to each address that is answered."""
    code = {"A": _A, "AAAA": _AAAA}[kind]
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.sendto(question(name, code), (server, _PORT))
        witness.sent(client, (server, _PORT), "127.0.0.1" if server == "127.0.0.53" else server)
        client.recv(_SIZE)
    for ip in _addresses(name, code):
        tell(witness, ip, name.lower(), server)


def ask_with_edns(witness: Witness, server: str, name: str) -> None:
    """Ask by UDP for a long answer, and connect to its first address, and to its last, which is not looked at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        query = question(name)
        # One additional record: the root's, type OPT, whose class is the size.
        client.sendto(query[:10] + b"\0\1" + query[12:] + struct.pack("!B2HIH", 0, 41, 8192, 0, 0), (server, _PORT))
        witness.sent(client, (server, _PORT), server)
        client.recv(_SIZE)
    addresses = _addresses(name, _A)
    tell(witness, addresses[0], name, server)
    tell(witness, addresses[-1], None)


def share(witness: Witness, server: str) -> None:
    """A child asks on its parent's socket; the parent reads the answer. The name is of the child's connections."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begin, go_on = os.pipe()

    def ask() -> None:
        client.sendto(question("plain.example"), (server, _PORT))
        witness.sent(client, (server, _PORT), server)
        os.read(begin, 1)
        tell(witness, ZONE["plain.example"][0], "plain.example", server)
        tell(witness, ZONE["now.example"][0], None)

    child = fork(ask)
    client.recv(_SIZE)
    client.sendto(question("now.example", number=4712), (server, _PORT))
    client.recv(_SIZE)
    os.write(go_on, b"!")
    reap([child])
    tell(witness, ZONE["plain.example"][0], None)
    tell(witness, ZONE["now.example"][0], "now.example", server)


def ask_among_many(witness: Witness, server: str) -> None:
    """Ask, and be answered after another user has asked more than is remembered."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.sendto(question("slow.example"), (server, _PORT))
    witness.sent(client, (server, _PORT), server)

    def flood() -> None:
        os.setuid(65534)
        for _ in range(40):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for number in range(500):
                    sock.sendto(question("never.example", number=number), (server, _PORT))

    reap([fork(flood)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        witness.sent(other, (server, _PORT), server, src_port=...)
        other.settimeout(0.5)
        answered = False
        # The server, too, may not keep up with so many.
        while not answered:
            other.sendto(question("now.example"), (server, _PORT))
            with suppress(TimeoutError):
                answered = bool(other.recv(_SIZE))
    client.recv(_SIZE)
    tell(witness, ZONE["slow.example"][0], "slow.example", server)


def forward(witness: Witness, ip: str, upstream: str) -> None:
    """A resolver, which asks another for what it is asked, and connects to what it is answered; once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((ip, _PORT))
        witness.tell({"ready": True})
        query, sender = server.recvfrom(_SIZE)
        witness.received(server, sender)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(query, (upstream, _PORT))
            witness.sent(client, (upstream, _PORT), upstream)
            answer = client.recv(_SIZE)
        name = asked(query)[0]
        tell(witness, _addresses(name, _A)[0], name, upstream)
        server.sendto(answer, sender)


def _addresses(name: str, kind: int) -> list[str]:
    found = []
    for value in ZONE[name.lower()]:
        if value in ZONE:
            found += _addresses(value, kind)
        elif (":" in value) == (kind == _AAAA):
            found.append(value)
    return found


def ask_tcp(witness: Witness, server: str, name: str) -> None:
    """Ask by TCP, whose answer comes in several segments, and connect to the last address."""
    with connect(witness, (server, _PORT)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        query = question(name, _A)
        client.sendall(struct.pack("!H", len(query)) + query)
        length = struct.unpack("!H", client.recv(2, socket.MSG_WAITALL))[0]
        client.recv(length, socket.MSG_WAITALL)
    tell(witness, _addresses(name, _A)[-1], name, server)


def not_asked(witness: Witness, ip: str) -> None:
    """Connect to an address that another process asked for."""
    tell(witness, ip, None)


def libc_asks(witness: Witness, server: str, name: str) -> None:
    """As programs do it: getaddrinfo() reads resolv.conf, asks for both kinds, and connect() goes to the first."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(f"nameserver {server}\noptions timeout:2\n")
        settings.flush()
        libc.bind_mount(settings.name, os.path.realpath("/etc/resolv.conf"))
        found = socket.getaddrinfo(name, 8000, type=socket.SOCK_STREAM)
    ips = sorted({str(entry[4][0]) for entry in found})
    if sorted(_addresses(name, _A) + _addresses(name, _AAAA)) != ips:
        raise RuntimeError(f"found {ips}")
    # One socket asks for both kinds of address; its own port it does not tell.
    first = {"record_kind": "connection", "network_protocol": "udp", "network_connection_initiated": True}
    witness.tell(first | witness.me() | {"dst_ip": server, "dst_port": _PORT})
    if name == "cut.example":
        # What is cut off is asked for by TCP.
        witness.tell(first | {"network_protocol": "tcp"} | witness.me() | {"dst_ip": server, "dst_port": _PORT})
    for ip in ips:
        tell(witness, ip, name, server)
