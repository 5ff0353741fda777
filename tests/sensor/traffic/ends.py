"""Ends of TCP connections: how long they were, what went each way, and who closed them how.

Both ends are of one process here, so that their order is known.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from traffic.children import fork, reap
from traffic.tcp import abort, connect, listening
from traffic.witness import Address, Row, Witness

_SETTLED_S = 0.05
_TCP_USER_TIMEOUT = 18


class _Pair:
    """A connection, both ends told."""

    def __init__(self, witness: Witness, family: str = "v4") -> None:
        listener = listening(family)
        self.client = connect(witness, listener.getsockname(), listener.family)
        self.server = listener.accept()[0]
        witness.accepted(self.server)
        self.at_client: Address = self.client.getsockname()
        self.at_server: Address = self.server.getsockname()
        listener.close()
        self._witness = witness

    def closed(self, client: str, server: str, sent: int = 0, received: int = 0) -> None:
        """How each end saw it, and how many bytes the client sent and received."""
        ends = ((True, client, sent, received), (False, server, received, sent))
        for initiated, outcome, out, back in ends:
            row: Row = {"record_kind": "close", "outcome": outcome, "sent_bytes": out, "received_bytes": back}
            # Which errno a reset leaves at its own end, the kernel has changed over time.
            row |= {"error_number": ...} if "reset" in outcome else {}
            self._witness.event("tcp", initiated, self.at_client, self.at_server, **row)


def _drain(sock: socket.socket) -> int:
    count = 0
    while payload := sock.recv(65536):
        count += len(payload)
    return count


def by_client(witness: Witness, family: str, sent: str, received: str) -> None:
    """The client closes first; what went each way is counted to the byte."""
    pair = _Pair(witness, family)

    def serve() -> None:
        pair.client.close()
        pair.server.sendall(bytes(int(received)))
        _drain(pair.server)

    child = fork(serve)
    pair.server.close()
    pair.client.sendall(bytes(int(sent)))
    left = int(received)
    while left:
        left -= len(pair.client.recv(65536))
    pair.client.close()
    reap([child])
    pair.closed("closed-here", "closed-by-peer", int(sent), int(received))


def by_server(witness: Witness) -> None:
    """The server closes first."""
    pair = _Pair(witness)
    pair.server.close()
    time.sleep(_SETTLED_S)
    pair.client.close()
    pair.closed("closed-by-peer", "closed-here")


def half_closed(witness: Witness) -> None:
    """The client says that it has no more to send, and still receives: it closed first."""
    pair = _Pair(witness)
    pair.client.sendall(b"question")
    pair.client.shutdown(socket.SHUT_WR)
    _drain(pair.server)
    pair.server.sendall(b"the answer")
    pair.server.close()
    _drain(pair.client)
    pair.client.close()
    pair.closed("closed-here", "closed-by-peer", 8, 10)


def reset_by_client(witness: Witness) -> None:
    """The client resets the connection."""
    pair = _Pair(witness)
    abort(pair.client)
    time.sleep(_SETTLED_S)
    pair.server.close()
    pair.closed("reset-here", "reset-by-peer")


def reset_by_server(witness: Witness) -> None:
    """The server resets it as soon as it has it."""
    pair = _Pair(witness)
    abort(pair.server)
    time.sleep(_SETTLED_S)
    pair.client.close()
    pair.closed("reset-by-peer", "reset-here")


def unread(witness: Witness) -> None:
    """Closed with something unread, which the kernel answers by a reset."""
    pair = _Pair(witness)
    pair.client.sendall(b"hello")
    time.sleep(_SETTLED_S)
    pair.server.close()
    time.sleep(_SETTLED_S)
    pair.client.close()
    pair.closed("reset-by-peer", "reset-here", 5)


def by_exit(witness: Witness) -> None:
    """A process that ends without closing."""
    pair = _Pair(witness)

    def leave() -> None:
        pair.server.close()
        os._exit(0)

    child = fork(leave)
    pair.client.close()
    reap([child])
    _drain(pair.server)
    pair.server.close()
    # Whose connection it is was told when it was made.
    pair.closed("closed-here", "closed-by-peer")


def lasting(witness: Witness, duration_s: str) -> None:
    """A connection that lasts."""
    pair = _Pair(witness)
    time.sleep(float(duration_s))
    pair.client.close()
    time.sleep(_SETTLED_S)
    pair.server.close()
    pair.closed("closed-here", "closed-by-peer")


def never_accepted(witness: Witness) -> None:
    """What was never accepted has no end to tell of on the server's side."""
    listener = listening()
    client = connect(witness, listener.getsockname())
    source, to = client.getsockname(), client.getpeername()
    listener.close()
    time.sleep(_SETTLED_S)
    client.close()
    witness.event("tcp", True, source, to, record_kind="close", outcome="reset-by-peer", error_number=...)


def timed_out(witness: Witness, ip: str, port: str) -> None:
    """The peer falls silent: told by stdout when it may be cut off, and that it is by stdin's end."""
    client = connect(witness, (ip, int(port)))
    source, to = client.getsockname(), client.getpeername()
    client.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, 500)
    witness.tell({"ready": True})
    os.read(0, 1)
    client.sendall(b"hello")
    try:
        client.recv(1)
    except OSError as error:
        if error.errno != errno.ETIMEDOUT:
            raise
    client.close()
    row = {"record_kind": "close", "outcome": "timed-out", "error_number": errno.ETIMEDOUT}
    witness.event("tcp", True, source, to, **row, received_bytes=0)
