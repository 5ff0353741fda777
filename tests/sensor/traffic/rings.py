"""Sockets that are used by io_uring: no system call of accept, connect, send or recv is made."""

from __future__ import annotations

import os
import socket
import time

from traffic.children import fork, reap
from traffic.libc import message, packed
from traffic.tcp import connect, listening
from traffic.udp import bound
from traffic.uring import Ring
from traffic.witness import Witness, process


def connect_and_send(witness: Witness, poll: str) -> None:
    """Connect, send and receive."""
    listener = listening()
    ring = Ring(poll == "poll")
    for _ in range(3):
        with socket.socket() as client:
            ring.connect(client.fileno(), packed(*listener.getsockname()))
            witness.connected(client)
            accepted = listener.accept()[0]
            witness.accepted(accepted)
            ring.send(client.fileno(), b"hello")
            accepted.sendall(accepted.recv(100))
            ring.receive(client.fileno())
            accepted.close()


def accept(witness: Witness, poll: str, way: str) -> None:
    """Accept what a child connects: what waits already and what comes later, one by one or by one request for all."""
    listener = listening()
    multishot = way == "multishot"
    count = 6

    def ask() -> None:
        for number in range(count):
            with connect(witness, listener.getsockname()) as client:
                client.sendall(b"x")
                # Some wait for the server, which is then the first to close; others do not.
                if number % 2:
                    client.recv(1)

    ring = Ring(poll == "poll")
    if multishot:
        ring.accept(listener.fileno(), multishot)
    child = fork(ask)
    results = ring.results()
    for _ in range(count):
        if not multishot:
            ring.accept(listener.fileno())
        accepted = socket.socket(fileno=next(results))
        witness.accepted(accepted)
        accepted.recv(1)
        accepted.close()
    reap([child])
    ring.close()


def never_used(witness: Witness, poll: str) -> None:
    """Accepted and closed, without a byte in between."""
    listener = listening()
    ring = Ring(poll == "poll")
    with connect(witness, listener.getsockname()):
        ring.accept(listener.fileno())
        with socket.socket(fileno=next(ring.results())) as accepted:
            witness.accepted(accepted)


def udp(witness: Witness, poll: str, unseen: str) -> None:
    """sendmsg and send, recvmsg and recv, of sockets that are connected or not.

    unseen: attribution of what is read without asking who sent it.
    """
    ring = Ring(poll == "poll")
    server, client, connected = bound(), bound(), bound()
    to = server.getsockname()
    connected.connect(to)
    header, _alive = message(packed(*to), 5)
    ring.send_message(client.fileno(), header)
    witness.sent(client, to)
    ring.send(connected.fileno(), b"hello")
    witness.sent(connected, to)
    header, _alive = message(bytes(16), 100)
    ring.receive_message(server.fileno(), header)
    witness.received(server, client.getsockname())
    ring.receive(server.fileno())
    witness.received(server, connected.getsockname(), attribution=unseen)
    # Before anybody looks: else it would show that the only process that has it has read.
    server.close()


def passed_on(witness: Witness, poll: str, when: str, unseen: str) -> None:
    """A UDP socket that a child receives with, by waiting or late; its parent made it.

    unseen: attribution of what was read late: as `owner` it is the parent's.
    """
    server, client = bound(), bound()

    sent, sent_here = os.pipe()
    me = process()

    def receive() -> None:
        ring = Ring(poll == "poll")
        if when == "late":
            os.read(sent, 1)
        ring.receive(server.fileno())
        inherited = {**me, "attribution": unseen} if (when, unseen) == ("late", "owner") else {}
        witness.received(server, client.getsockname(), **inherited)

    child = fork(receive)
    # For the other to wait; nothing shows from here that it does.
    time.sleep(0.5)
    client.sendto(b"hello", server.getsockname())
    os.write(sent_here, b"x")
    witness.sent(client, server.getsockname())
    reap([child])
