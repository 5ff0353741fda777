"""TCP by other means: MPTCP, which Go's servers speak by default, and Fast Open."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from traffic.children import fork, reap
from traffic.tcp import listening
from traffic.witness import Address, Witness

IPPROTO_MPTCP = 262
_PROTOCOLS = {"tcp": 0, "mptcp": IPPROTO_MPTCP}
_TCP_FASTOPEN, _TCP_FASTOPEN_CONNECT = 23, 30
_TCP_INFO, _OPTIONS_BYTE, _SYN_DATA = 11, 5, 32
_SIZE = 65536


def mptcp(witness: Witness, server: str, client: str) -> None:
    """Either end may speak it; the other then falls back."""
    listener = listening(protocol=_PROTOCOLS[server])

    def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, _PROTOCOLS[client]) as sock:
            sock.connect(listener.getsockname())
            witness.connected(sock)
            sock.sendall(b"hello")
            assert sock.recv(_SIZE) == b"hello"

    child = fork(ask)
    accepted = listener.accept()[0]
    witness.accepted(accepted)
    accepted.sendall(accepted.recv(_SIZE))
    reap([child])


def mptcp_serve(witness: Witness, ip: str, port: str) -> None:
    """Accept a connection and send back what comes, until it ends."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    listener.bind((ip, int(port)))
    listener.listen()
    witness.tell({"ready": True})
    accepted = listener.accept()[0]
    witness.accepted(accepted)
    while payload := accepted.recv(_SIZE):
        accepted.sendall(payload)


def mptcp_ask(witness: Witness, ip: str, port: str) -> None:
    """Keep a connection until the kernel has added its further paths."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as client:
        client.connect((ip, int(port)))
        witness.connected(client)
        for _ in range(20):
            client.sendall(bytes(1000))
            client.recv(_SIZE)
            time.sleep(0.02)
        if _paths() < 2:
            raise RuntimeError("the kernel added no further path")


def _paths() -> int:
    """Connections of TCP to port 8000 that are established here."""
    table = Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[2].endswith(":1F40") and line.split()[3] == "01" for line in table)


def fast_open(witness: Witness, way: str) -> None:
    """Connections on loopback: the first asks for a cookie, the others have data in their SYN."""
    listener = listening()
    listener.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN, 16)
    opened = []
    for _ in range(4):
        with _opened(way, listener.getsockname()) as client:
            accepted = listener.accept()[0]
            accepted.recv(_SIZE)
            witness.accepted(accepted)
            accepted.sendall(b"answer")
            client.recv(_SIZE)
            witness.connected(client)
            opened.append(_has_syn_data(client))
            accepted.close()
    if not all(opened[1:]):
        raise RuntimeError(f"found Fast Open used {opened}, expected it from the second connection on")


def _opened(way: str, to: Address) -> socket.socket:
    client = socket.socket()
    if way == "connect":
        client.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT, 1)
        client.connect(to)
        client.sendall(b"question")
    else:
        client.sendto(b"question", socket.MSG_FASTOPEN, to)
    return client


def _has_syn_data(client: socket.socket) -> bool:
    info = client.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 100)
    return bool(info[_OPTIONS_BYTE] & _SYN_DATA)


def fast_open_serve(witness: Witness, ip: str, port: str) -> None:
    """Accept three connections, answer each."""
    listener = socket.create_server((ip, int(port)))
    listener.setsockopt(socket.IPPROTO_TCP, _TCP_FASTOPEN, 16)
    witness.tell({"ready": True})
    for _ in range(3):
        accepted = listener.accept()[0]
        witness.accepted(accepted)
        accepted.sendall(accepted.recv(_SIZE))
        accepted.close()


def fast_open_ask(witness: Witness, ip: str, port: str) -> None:
    """Connect three times, with data in the SYN but for the first."""
    for number in range(3):
        with _opened("sendto", (ip, int(port))) as client:
            client.recv(_SIZE)
            witness.connected(client)
            if number and not _has_syn_data(client):
                raise RuntimeError("Fast Open was not used")
