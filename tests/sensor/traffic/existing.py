"""Sockets that are open before a recorder starts."""

from __future__ import annotations

import select
import socket
import sys
from collections import deque

from traffic.tcp import LOOPBACK, listening
from traffic.udp import bound
from traffic.witness import Witness


def hold(witness: Witness, family: str) -> None:
    """Hold connections; when stdin's first line comes, use them and a listener that was there; at its end, leave."""
    listener = listening(family)
    client = socket.socket(LOOPBACK[family][0])
    client.connect(listener.getsockname())
    accepted = listener.accept()[0]
    waiting = socket.socket(LOOPBACK[family][0])
    waiting.connect(listener.getsockname())
    datagrams, server, unconnected = bound(family), bound(family), bound(family)
    datagrams.connect(server.getsockname())
    here = {"record_kind": "existing", "attribution": "owner"}
    # Listeners, and UDP sockets without a peer, are no connections.
    for sock in (client, waiting):
        witness.connected(sock, **here)
    witness.accepted(accepted, **here)
    # Nor does the kernel know who spoke first, before the recording: each end is the source then.
    unknown = {"network_connection_initiated": None}
    witness.sent(datagrams, server.getsockname(), **here, **unknown)
    witness.tell({"ready": True})
    sys.stdin.readline()
    # That it waited to be accepted before the recorder came takes nothing from its being accepted now.
    witness.accepted(listener.accept()[0])
    datagrams.send(b"hello")
    witness.sent(datagrams, server.getsockname(), **unknown)
    witness.sent(server, server.recvfrom(100)[1], **unknown)
    unconnected.sendto(b"hello", server.getsockname())
    witness.sent(unconnected, server.getsockname(), **unknown)
    witness.sent(server, server.recvfrom(100)[1], **unknown)
    another = socket.socket(LOOPBACK[family][0])
    another.connect(listener.getsockname())
    witness.connected(another)
    witness.accepted(listener.accept()[0])
    client.sendall(b"hello")
    accepted.recv(100)
    witness.tell({"used": True})
    sys.stdin.read()


def in_flight(witness: Witness) -> None:
    """A UDP socket that is on its way to another process (SCM_RIGHTS): of no process, until stdin ends."""
    here, there = socket.socketpair()
    with bound() as sock:
        socket.send_fds(here, [b"x"], [sock.fileno()])
    witness.tell({"ready": True})
    sys.stdin.read()
    received = socket.socket(fileno=socket.recv_fds(there, 1, 1)[1][0])
    with bound() as server:
        received.sendto(b"hello", server.getsockname())
        # It may have spoken before.
        witness.sent(received, server.getsockname(), network_connection_initiated=None)
        witness.received(server, server.recvfrom(100)[1])


def come_and_go(witness: Witness) -> None:
    """Connections that come and go, until stdin ends."""
    listener = listening()
    kept: deque[socket.socket] = deque()
    witness.tell({"ready": True})
    while not select.select([sys.stdin], [], [], 0)[0]:
        kept.append(socket.create_connection(listener.getsockname()))
        kept.append(listener.accept()[0])
        if len(kept) > 500:
            kept.popleft().close()
            kept.popleft().close()
