"""Names that a process asks a DNS server for, before it connects to what was answered."""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator

from traffic import libc
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
    "both.example": ["127.0.0.73", "fd00:53::73"],
    "MiXed.Example": ["127.0.0.74"],
}
_BY_FOLDED = {name.lower(): name for name in ZONE}


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _question(name: str, kind: int, number: int = 4711) -> bytes:
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + _encoded(name) + struct.pack("!2H", kind, 1)


def _asked(query: bytes) -> tuple[str, int, bytes]:
    """The name and type that a query asks for, and its question as it stands."""
    labels, place = [], 12
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode())
        place += 1 + query[place]
    return ".".join(labels), struct.unpack_from("!H", query, place + 1)[0], query[12 : place + 5]


def _records(name: str, kind: int, owner: bytes = b"\xc0\x0c") -> Iterator[bytes]:
    for value in ZONE.get(_BY_FOLDED.get(name.lower(), ""), ()):
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
    name, kind, question = _asked(query)
    records = list(_records(name, kind))
    flags = _ANSWER
    if sum(map(len, records)) > limit:
        flags, records = flags | _TRUNCATED, []
    return query[:2] + struct.pack("!5H", flags, 1, len(records), 0, 0) + question + b"".join(records)


def _serve_udp(server: socket.socket) -> None:
    while True:
        query, sender = server.recvfrom(_SIZE)
        server.sendto(_answer(query, 480), sender)


def _serve_tcp(listener: socket.socket) -> None:
    while True:
        client = listener.accept()[0]
        with client:
            query = client.recv(_SIZE)
            # The kernel may hand over length and query apart; clients of the tests send them at once.
            answer = _answer(query[2:], _SIZE)
            whole = struct.pack("!H", len(answer)) + answer
            for start in range(0, len(whole), 1000):
                client.sendall(whole[start : start + 1000])
            client.recv(1)


def serve(witness: Witness, ip: str) -> None:
    """A DNS server, until stdin ends. Its own events are its own business: they are not told."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((ip, _PORT))
    tcp = socket.create_server((ip, _PORT), family=family)
    for work, sock in ((_serve_udp, udp), (_serve_tcp, tcp)):
        threading.Thread(target=work, args=(sock,), daemon=True).start()
    # Where the names lead to.
    web = socket.create_server(("::", 8000), family=socket.AF_INET6, dualstack_ipv6=True)
    witness.tell({"ready": True})
    sys.stdin.read()
    web.close()


def _tell(witness: Witness, ip: str, name: str | None) -> None:
    row: Row = {"dst_host_name": name, "dst_host_name_origin": "dns" if name else None}
    with connect(witness, (ip, 8000), socket.AF_INET6 if ":" in ip else socket.AF_INET, **row):
        pass


def ask_udp(witness: Witness, server: str, name: str, kind: str) -> None:
    """Ask by UDP, and connect to each address that is answered."""
    code = {"A": _A, "AAAA": _AAAA}[kind]
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.sendto(_question(name, code), (server, _PORT))
        witness.sent(client, (server, _PORT), server)
        client.recv(_SIZE)
    for ip in _addresses(name, code):
        _tell(witness, ip, name)


def _addresses(name: str, kind: int) -> list[str]:
    found = []
    for value in ZONE[_BY_FOLDED[name.lower()]]:
        if value in ZONE:
            found += _addresses(value, kind)
        elif (":" in value) == (kind == _AAAA):
            found.append(value)
    return found


def ask_tcp(witness: Witness, server: str, name: str) -> None:
    """Ask by TCP, whose answer comes in several segments, and connect to the last address."""
    with connect(witness, (server, _PORT)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        query = _question(name, _A)
        client.sendall(struct.pack("!H", len(query)) + query)
        length = struct.unpack("!H", client.recv(2, socket.MSG_WAITALL))[0]
        client.recv(length, socket.MSG_WAITALL)
    _tell(witness, _addresses(name, _A)[-1], name)


def not_asked(witness: Witness, ip: str) -> None:
    """Connect to an address that another process asked for."""
    _tell(witness, ip, None)


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
    asked = {"record_kind": "connection", "network_protocol": "udp", "network_connection_initiated": True}
    witness.tell(asked | witness.me() | {"dst_ip": server, "dst_port": _PORT})
    for ip in ips:
        _tell(witness, ip, name)
