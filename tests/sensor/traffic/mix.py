"""Connections of many kinds at random, by several processes, threads and short-lived children at once.

Everything is checked as it happens: a call that fails, or an answer that does not come, fails the program. So it
also shows that traffic is not affected by whoever looks on.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from traffic.children import fork, reap
from traffic.tcp import LOOPBACK, abort, connect, listening
from traffic.udp import bound
from traffic.witness import Address, Witness

_SIZE = 65536
_SERVERS, _SERVER_THREADS = 2, 2
_CLIENTS, _CLIENT_THREADS = 4, 2
_ANSWER_S = 30
_END = b"end"


class _Servers(NamedTuple):
    listeners: Sequence[socket.socket]
    datagrams: Sequence[socket.socket]


def run(witness: Witness, seed: str, count: str) -> None:
    """About `count` connections and flows; the seed says which."""
    servers = _Servers(
        [listening("v4"), listening("v6"), _dual_stack(socket.SOCK_STREAM)],
        # One for each server, so that it is known who reads.
        [bound(family) for family in ("v4", "v6") for _ in range(_SERVERS)],
    )
    serving = [fork(partial(_serve, witness, servers, number)) for number in range(_SERVERS)]
    share = int(count) // _CLIENTS
    reap([fork(partial(_work, witness, servers, f"{seed}/{number}", share)) for number in range(_CLIENTS)])
    for listener in servers.listeners:
        for _ in range(_SERVERS * _SERVER_THREADS):
            _end_one(witness, listener)
    reap(serving)


def _dual_stack(kind: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", 0))
    sock.listen(4096)
    return sock


# --- servers ---


def _serve(witness: Witness, servers: _Servers, number: int) -> None:
    """Accept at listeners that all servers share, answer datagrams at sockets of one's own."""
    for sock in servers.datagrams[number::_SERVERS]:
        threading.Thread(target=_answer, args=(witness, sock), daemon=True).start()
    accepting = [
        threading.Thread(target=_accept, args=(witness, listener))
        for listener in servers.listeners
        for _ in range(_SERVER_THREADS)
    ]
    for thread in accepting:
        thread.start()
    for thread in accepting:
        thread.join()


def _accept(witness: Witness, listener: socket.socket) -> None:
    goes_on = True
    while goes_on:
        accepted, peer = listener.accept()
        witness.event("tcp", False, peer, accepted.getsockname())
        with accepted:
            goes_on = _talk(accepted)


def _talk(accepted: socket.socket) -> bool:
    """Send back what comes; whether to accept another."""
    try:
        while payload := accepted.recv(_SIZE):
            accepted.sendall(payload)
            if payload == _END:
                return False
    except (ConnectionResetError, BrokenPipeError):
        return True
    return True


def _end_one(witness: Witness, listener: socket.socket) -> None:
    """End one of the threads that accept: what waited before this connection has then been accepted."""
    ip = LOOPBACK["v6" if listener.family == socket.AF_INET6 else "v4"][1]
    with connect(witness, (ip, listener.getsockname()[1]), listener.family) as client:
        client.sendall(_END)
        client.recv(_SIZE)


def _answer(witness: Witness, sock: socket.socket) -> None:
    known = set()
    while True:
        payload, sender = sock.recvfrom(_SIZE)
        if sender not in known:
            known.add(sender)
            # How its reader was found depends on how soon it reads: not compared.
            witness.received(sock, sender, attribution=...)
        sock.sendto(payload, sender)


# --- clients ---


def _work(witness: Witness, servers: _Servers, seed: str, count: int) -> None:
    share = count // _CLIENT_THREADS
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            _connect_at_random(witness, servers, random.Random(f"{seed}/{number}"), share)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENT_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _connect_at_random(witness: Witness, servers: _Servers, chance: random.Random, count: int) -> None:
    kinds = list(KINDS)
    for _ in range(count):
        kind = chance.choices(kinds, [KINDS[name][0] for name in kinds])[0]
        act = KINDS[kind][1]
        if chance.random() < 0.03:
            # By a child, which exits right after.
            child_chance = random.Random(chance.random())
            reap([fork(partial(act, witness, servers, child_chance))])
        else:
            act(witness, servers, chance)


def _tcp(witness: Witness, to: Address, family: int, chance: random.Random) -> None:
    client = socket.socket(family, socket.SOCK_STREAM)
    client.settimeout(_ANSWER_S)
    client.connect(to)
    witness.connected(client)
    way = chance.randrange(4)
    if way:
        payload = bytes(chance.randrange(1, 3000))
        client.sendall(payload)
        received = 0
        while received < len(payload):
            part = client.recv(_SIZE)
            if not part:
                raise ConnectionError("the server closed before it had answered")
            received += len(part)
    if way == 3:
        abort(client)
    else:
        client.close()


def _tcp_v4(witness: Witness, servers: _Servers, chance: random.Random) -> None:
    _tcp(witness, servers.listeners[0].getsockname(), socket.AF_INET, chance)


def _tcp_v6(witness: Witness, servers: _Servers, chance: random.Random) -> None:
    _tcp(witness, servers.listeners[1].getsockname(), socket.AF_INET6, chance)


def _tcp_mapped(witness: Witness, servers: _Servers, chance: random.Random) -> None:
    port = servers.listeners[2].getsockname()[1]
    to, family = chance.choice(
        [
            (("::ffff:127.0.0.1", port), socket.AF_INET6),
            ((f"127.0.0.{chance.randrange(1, 255)}", port), socket.AF_INET),
            (("::1", port), socket.AF_INET6),
        ]
    )
    _tcp(witness, to, family, chance)


def _refused(witness: Witness, _: _Servers, chance: random.Random) -> None:
    family = chance.choice(["v4", "v6"])
    with socket.socket(LOOPBACK[family][0]) as client, socket.socket(LOOPBACK[family][0]) as nobody:
        # A port that is taken, where nobody listens.
        nobody.bind((LOOPBACK[family][1], 0))
        client.bind((LOOPBACK[family][1], 0))
        source = client.getsockname()
        found = client.connect_ex(nobody.getsockname())
        if found != errno.ECONNREFUSED:
            raise ConnectionError(f"found {os.strerror(found)}, expected a refusal")
        witness.attempted("refused", errno.ECONNREFUSED, source, nobody.getsockname())


def _udp(witness: Witness, servers: _Servers, chance: random.Random) -> None:
    server = chance.choice(servers.datagrams)
    to = server.getsockname()
    with socket.socket(server.family, socket.SOCK_DGRAM) as client:
        client.settimeout(_ANSWER_S)
        connects = chance.random() < 0.5
        if connects:
            client.connect(to)
        for number in range(chance.randrange(1, 4)):
            payload = struct.pack("=I", number)
            if connects:
                client.send(payload)
            else:
                client.sendto(payload, to)
            if number == 0:
                witness.sent(client, to, to[0])
            if client.recv(_SIZE) != payload:
                raise ConnectionError("the answer is another question's")


def _udp_to_nobody(witness: Witness, _: _Servers, chance: random.Random) -> None:
    with bound(chance.choice(["v4", "v6"])) as client:
        # None of the program's sockets has a port so low.
        to = (client.getsockname()[0], 1 + chance.randrange(1000))
        client.sendto(b"hello", to)
        witness.sent(client, to)


_Act = Callable[[Witness, _Servers, random.Random], None]
KINDS: dict[str, tuple[int, _Act]] = {
    "tcp over IPv4": (30, _tcp_v4),
    "tcp over IPv6": (15, _tcp_v6),
    "tcp, either": (15, _tcp_mapped),
    "refused": (10, _refused),
    "udp": (25, _udp),
    "udp to nobody": (5, _udp_to_nobody),
}
"""Kind: its share, and how it is made."""
