"""Datagrams that look like DNS answers, and are to no question."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable

from traffic.dns import asked, question, tell
from traffic.witness import Address, Witness

_PORT = 53
_SIZE = 65536
_HOST, _OTHER_HOST, _OWN_HOST = "127.0.0.1", "127.0.0.54", "127.0.0.55"
# Not of loopback, which has this machine's name.
_ADDRESS = "10.53.0.66"
_TRUE_ADDRESS = "10.53.0.67"
_AAAA = 28


def _answer(query: bytes, ip: str = _ADDRESS) -> bytes:
    """What a server says that a name's address is."""
    wire = asked(query)[2]
    record = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 600, 4) + socket.inet_aton(ip)
    return query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + wire + record


def _number(query: bytes, more: int) -> bytes:
    return struct.pack("!H", (struct.unpack("!H", query[:2])[0] + more) & 0xFFFF) + query[2:]


# What is sent instead of an answer, each by the way in which it differs from one.
_LIES: dict[str, Callable[[bytes], list[bytes]]] = {
    "id": lambda query: [_answer(_number(query, 1))],
    "every-other-id": lambda query: [_answer(_number(query, more)) for more in range(1, 200)],
    "name": lambda query: [_answer(query[:2] + question("bank.example")[2:])],
    "type": lambda query: [_answer(query[:2] + question(asked(query)[0], _AAAA)[2:])],
    "twice": lambda query: [_answer(query, _TRUE_ADDRESS), _answer(query)],
    "host": lambda query: [_answer(query)],
    "port": lambda query: [_answer(query)],
    "socket": lambda query: [_answer(query)],
}


def serve(witness: Witness) -> None:
    """A DNS server that lies, as the name that it is asked for says; until stdin ends."""
    sockets = {}
    for what, address in {"": (_HOST, _PORT), "host": (_OTHER_HOST, _PORT), "port": (_HOST, 5353)}.items():
        sockets[what] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets[what].bind(address)

    def lie() -> None:
        while True:
            query, sender = sockets[""].recvfrom(_SIZE)
            # lie.port.example: the port is that to which it is sent.
            what, port = asked(query)[0].split(".")[:2]
            for lie in _LIES[what](query):
                sockets.get(what, sockets[""]).sendto(lie, (sender[0], int(port) or sender[1]))

    threading.Thread(target=lie, daemon=True).start()
    web = socket.create_server(("0.0.0.0", 8000))
    witness.tell({"ready": True})
    sys.stdin.read()
    web.close()


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((_HOST, 0))
    return sock


def believe(witness: Witness, what: str) -> None:
    """Ask the server that lies, and connect to what it says."""
    server: Address = (_HOST, _PORT)
    with _bound() as client, _bound() as other:
        port = other.getsockname()[1] if what == "socket" else 0
        query = question(f"{what}.{port}.example")
        client.sendto(query, server)
        witness.sent(client, server)
        reader = other if what == "socket" else client
        for _ in _LIES[what](query):
            sender = reader.recvfrom(_SIZE)[1]
        if what in ("socket", "host", "port"):
            witness.received(reader, sender)
        if what == "twice":
            tell(witness, _TRUE_ADDRESS, "twice.0.example", _HOST)
        tell(witness, _ADDRESS, None)


def answer_oneself(witness: Witness) -> None:
    """A process sends itself an answer to what it did not ask."""
    with _bound() as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((_OWN_HOST, _PORT))
        server.sendto(_answer(question("updates.example")), client.getsockname())
        witness.sent(server, client.getsockname())
        client.recvfrom(_SIZE)
        witness.received(client, server.getsockname())
    tell(witness, _ADDRESS, None)
