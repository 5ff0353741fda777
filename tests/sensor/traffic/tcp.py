"""TCP, as far as it comes to a connection."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from traffic import libc
from traffic.children import fork, reap
from traffic.witness import Address, Witness

__all__ = ["LOOPBACK", "abort", "connect", "listening"]

LOOPBACK = {"v4": (socket.AF_INET, "127.0.0.1"), "v6": (socket.AF_INET6, "::1")}
_BACKLOG = 4096
_NO_LINGER = struct.pack("ii", 1, 0)


def listening(family: str = "v4", protocol: int = 0) -> socket.socket:
    """A listener on loopback."""
    kind, ip = LOOPBACK[family]
    listener = socket.socket(kind, socket.SOCK_STREAM, protocol)
    listener.bind((ip, 0))
    listener.listen(_BACKLOG)
    return listener


def abort(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    sock.close()


def connect(
    witness: Witness, to: Address, family: int = socket.AF_INET, protocol: int = 0, **more: Any
) -> socket.socket:
    """Connect, and tell of it."""
    client = socket.socket(family, socket.SOCK_STREAM, protocol)
    client.connect(to)
    witness.connected(client, **more)
    return client


def _in_child(witness: Witness, to: Address, family: int) -> int:
    return fork(lambda: connect(witness, to, family).close())


def both_ends(witness: Witness, family: str) -> None:
    """One process connects, another accepts."""
    listener = listening(family)
    child = _in_child(witness, listener.getsockname(), listener.family)
    witness.accepted(listener.accept()[0])
    reap([child])


def one_process(witness: Witness, family: str) -> None:
    """A process that talks to itself."""
    listener = listening(family)
    client = connect(witness, listener.getsockname(), listener.family)
    witness.accepted(listener.accept()[0])
    client.close()


def timed(witness: Witness) -> None:
    """A connection between two looks at the clock."""
    listener = listening()
    before_s = time.time()
    client = socket.create_connection(listener.getsockname())
    accepted = listener.accept()[0]
    witness.tell({"looks_s": [before_s, time.time()]})
    witness.connected(client)
    witness.accepted(accepted)


def _dual_stack_listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen()
    return listener


def v4_mapped(witness: Witness) -> None:
    """Sockets of IPv6 that speak IPv4: a listener of both, reached by a client of each kind."""
    listener = _dual_stack_listener()
    port = listener.getsockname()[1]
    with connect(witness, ("127.0.0.1", port)):
        witness.accepted(listener.accept()[0])
    with connect(witness, ("::ffff:127.0.0.1", port), socket.AF_INET6):
        witness.accepted(listener.accept()[0])
    with connect(witness, ("::1", port), socket.AF_INET6):
        witness.accepted(listener.accept()[0])


def nonblocking(witness: Witness) -> None:
    """connect() and accept() that do not wait."""
    listener = listening()
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    _connected_within(client, 2.0)
    witness.connected(client)
    listener.setblocking(False)
    witness.accepted(listener.accept()[0])


def _connected_within(client: socket.socket, timeout_s: float) -> None:
    import select

    if not select.select([], [client], [], timeout_s)[1] or client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise TimeoutError("not connected")


def accept_by(witness: Witness, way: str) -> None:
    """accept(fd, NULL, NULL) and accept4: the call does not tell the peer."""
    accept: Callable[[socket.socket], socket.socket] = getattr(libc, way)
    listener = listening()
    child = _in_child(witness, listener.getsockname(), listener.family)
    witness.accepted(accept(listener))
    reap([child])


def never_accepted(witness: Witness) -> None:
    """Connections in the backlog of a listener that closes without having looked."""
    listener = listening()
    clients = [connect(witness, listener.getsockname()) for _ in range(5)]
    clients[0].close()
    time.sleep(0.05)
    listener.close()


def accepted_when_gone(witness: Witness) -> None:
    """The peer has closed, by FIN or by RST, before the server accepts."""
    listener = listening()
    for end in (socket.socket.close, abort):
        client = connect(witness, listener.getsockname())
        peer = client.getsockname()
        end(client)
        time.sleep(0.02)
        accepted, sender = listener.accept()
        assert sender == peer
        witness.event("tcp", False, peer, listener.getsockname())
        accepted.close()


def to_itself(witness: Witness) -> None:
    """A socket connected to itself, by simultaneous open: it has no accepting side."""
    client = socket.socket()
    client.bind(("127.0.0.1", 0))
    client.connect(client.getsockname())
    witness.connected(client)
    client.close()


def reconnected(witness: Witness) -> None:
    """The same socket, disconnected and connected anew: two connections."""
    listener = listening()
    client = socket.socket()
    for _ in range(2):
        client.connect(listener.getsockname())
        witness.connected(client)
        witness.accepted(listener.accept()[0])
        libc.disconnect(client)
    client.close()


def same_port(witness: Witness, count: str) -> None:
    """The same two ends again and again, each closed by a reset at once."""
    listener = listening()
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        source = reserved.getsockname()
    for _ in range(int(count)):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(source)
        client.connect(listener.getsockname())
        witness.connected(client)
        accepted = listener.accept()[0]
        witness.accepted(accepted)
        abort(client)
        accepted.close()


def serve(witness: Witness, ip: str, port: str, count: str) -> None:
    """Accept `count` connections; once it listens, it says so."""
    listener = socket.create_server(
        (ip, int(port)), family=socket.AF_INET6 if ":" in ip else socket.AF_INET, backlog=_BACKLOG
    )
    witness.tell({"ready": True})
    for _ in range(int(count)):
        accepted = listener.accept()[0]
        witness.accepted(accepted)
        while accepted.recv(65536):
            pass
        accepted.close()


def ask(witness: Witness, ip: str, port: str) -> None:
    """Connect, send and close."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with connect(witness, (ip, int(port)), family) as client:
        client.sendall(b"hello")


def many_waiting(witness: Witness, count: str, one_of: str) -> None:
    """More and more connections that wait in the backlogs of four listeners, their clients gone; then all are accepted.

    Of them only those are told whose client's port `one_of` divides.
    """
    listeners = []
    for ip in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"):
        listener = socket.socket()
        listener.bind((ip, 8000))
        listener.listen(65_536)
        listeners.append(listener)
    share = int(count) // len(listeners)
    for listener in listeners:
        for _ in range(share):
            with socket.create_connection(listener.getsockname()) as client:
                if client.getsockname()[1] % int(one_of) == 0:
                    witness.connected(client)
    for listener in listeners:
        for _ in range(share):
            accepted, sender = listener.accept()
            if sender[1] % int(one_of) == 0:
                witness.event("tcp", False, sender, listener.getsockname())
            accepted.close()


def ask_from(witness: Witness, ip: str, port: str, source_port: str) -> None:
    """Connect from a port of one's choice, send and close."""
    with socket.socket() as client:
        client.bind((ip, int(source_port)))
        client.connect((ip, int(port)))
        witness.connected(client)
        client.sendall(b"hello")


def wait(witness: Witness, port: str) -> None:
    """Listen, until stdin ends, for nobody."""
    with socket.create_server(("0.0.0.0", int(port))):
        witness.tell({"ready": True})
        sys.stdin.read()
