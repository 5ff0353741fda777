"""Sockets that are open before a recorder starts."""

from __future__ import annotations

import socket
import sys

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
    # Nor does the kernel know who spoke first, before the recording.
    unknown = {"network_connection_initiated": None}
    witness.sent(datagrams, server.getsockname(), **here, **unknown)
    witness.tell({"ready": True})
    sys.stdin.readline()
    # That it waited to be accepted before the recorder came takes nothing from its being accepted now.
    witness.accepted(listener.accept()[0])
    datagrams.send(b"hello")
    witness.sent(datagrams, server.getsockname(), **unknown)
    witness.received(server, server.recvfrom(100)[1], **unknown)
    unconnected.sendto(b"hello", server.getsockname())
    witness.sent(unconnected, server.getsockname(), **unknown)
    witness.received(server, server.recvfrom(100)[1], **unknown)
    another = socket.socket(LOOPBACK[family][0])
    another.connect(listener.getsockname())
    witness.connected(another)
    witness.accepted(listener.accept()[0])
    client.sendall(b"hello")
    accepted.recv(100)
    witness.tell({"used": True})
    sys.stdin.read()
