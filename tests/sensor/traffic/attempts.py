"""TCP connections that do not come to be."""

from __future__ import annotations

import errno
import socket
import time

from traffic.tcp import LOOPBACK, connect, listening
from traffic.witness import Address, Witness

_TCP_USER_TIMEOUT = 18


def _bound(family: str = "v4", ip: str | None = None) -> socket.socket:
    kind, loopback = LOOPBACK[family]
    client = socket.socket(kind)
    client.bind((ip or loopback, 0))
    return client


def _closed_port(family: str = "v4") -> Address:
    """Where nobody listens, and none will soon: the port was just given out."""
    with _bound(family) as nobody:
        address: Address = nobody.getsockname()
    return address


def _fail(client: socket.socket, to: Address, number: int) -> None:
    found = client.connect_ex(to)
    if found != number:
        raise RuntimeError(f"found {errno.errorcode.get(found, found)}, expected {errno.errorcode[number]}")


def refused(witness: Witness, family: str) -> None:
    """Nobody listens; once with a port of the client's own choice, once without."""
    to = _closed_port(family)
    with _bound(family) as client:
        source = client.getsockname()
        _fail(client, to, errno.ECONNREFUSED)
        witness.attempted("refused", errno.ECONNREFUSED, source, to)
    with socket.socket(LOOPBACK[family][0]) as client:
        _fail(client, to, errno.ECONNREFUSED)
        witness.attempted("refused", errno.ECONNREFUSED, None, to, src_ip=LOOPBACK[family][1])


def refused_nonblocking(witness: Witness) -> None:
    """The refusal is asked for later, by SO_ERROR, or never."""
    to = _closed_port()
    for asks in (True, False):
        with _bound() as client:
            client.setblocking(False)
            client.connect_ex(to)
            if asks:
                time.sleep(0.02)
                client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            witness.attempted("refused", errno.ECONNREFUSED, client.getsockname(), to)


def refused_then_connected(witness: Witness) -> None:
    """The same socket tries again, and gets through."""
    to = _closed_port()
    with _bound() as client:
        source = client.getsockname()
        _fail(client, to, errno.ECONNREFUSED)
        witness.attempted("refused", errno.ECONNREFUSED, source, to)
        listener = listening()
        client.connect(listener.getsockname())
        witness.connected(client)
        witness.accepted(listener.accept()[0])


def timed_out(witness: Witness, source_ip: str, ip: str) -> None:
    """Nobody answers."""
    with _bound(ip=source_ip) as client:
        client.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, 600)
        source = client.getsockname()
        _fail(client, (ip, 443), errno.ETIMEDOUT)
        witness.attempted("timed-out", errno.ETIMEDOUT, source, (ip, 443))


def reset(witness: Witness, source_ip: str, ip: str) -> None:
    """The peer resets the connection before it is made."""
    with _bound(ip=source_ip) as client:
        source = client.getsockname()
        _fail(client, (ip, 443), errno.ECONNRESET)
        witness.attempted("reset", errno.ECONNRESET, source, (ip, 443))


def abandoned(witness: Witness, source_ip: str, ip: str) -> None:
    """The process gives up before there is an answer: it closes, or it exits."""
    for give_up in (socket.socket.close, socket.socket.detach):
        client = _bound(ip=source_ip)
        client.setblocking(False)
        _fail(client, (ip, 443), errno.EINPROGRESS)
        witness.attempted("abandoned", None, client.getsockname(), (ip, 443))
        give_up(client)


def unreachable(witness: Witness, ip: str, error: str, source_ip: str = "") -> None:
    """No way there: by the routes of this host (without source_ip: no packet is sent), or as a router tells."""
    number = getattr(errno, error)
    family = "v6" if ":" in ip else "v4"
    with _bound(family, source_ip) if source_ip else socket.socket(LOOPBACK[family][0]) as client:
        source = client.getsockname() if source_ip else None
        _fail(client, (ip, 443), number)
        witness.attempted("unreachable", number, source, (ip, 443))


def prohibited(witness: Witness, ip: str) -> None:
    """A local rule forbids it."""
    with socket.socket() as client:
        _fail(client, (ip, 443), errno.EACCES)
        witness.attempted("failed", errno.EACCES, None, (ip, 443))


def mistakes(witness: Witness) -> None:
    """Calls that are no attempts: already connected, no such family, not a socket's address."""
    listener = listening()
    with connect(witness, listener.getsockname()) as client:
        witness.accepted(listener.accept()[0])
        _fail(client, listener.getsockname(), errno.EISCONN)
    with socket.socket() as client, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        client.bind(("127.0.0.1", 0))
        client.listen()
        _fail(client, other.getsockname(), errno.EISCONN)
