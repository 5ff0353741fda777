"""Traffic whose addresses the host translates. The rules are the test's."""

from __future__ import annotations

import socket

from traffic.witness import Witness

_SIZE = 65536


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def serve_udp(witness: Witness, ip: str, port: str, count: str, source: str) -> None:
    """Answer `count` questions; who asks comes from `source`."""
    with socket.socket(_family(ip), socket.SOCK_DGRAM) as sock:
        sock.bind((ip, int(port)))
        witness.tell({"ready": True})
        for number in range(int(count)):
            question, sender = sock.recvfrom(_SIZE)
            assert sender[0] == source
            if number == 0:
                witness.received(sock, sender)
            sock.sendto(question, sender)


def ask_udp(
    witness: Witness, way: str, local: str, source: str, to: str, port: str, nat: str, nat_port: str, count: str
) -> None:
    """Ask, and take the answers, by a socket that is connected or not.

    local: the address to bind to, empty for none. source: the one that the question then has. nat, nat_port: where the
    far end is translated to; empty where it is this end that is, to `nat_port`.
    """
    with socket.socket(_family(to), socket.SOCK_DGRAM) as sock:
        if local:
            sock.bind((local, 0))
        if way == "connected":
            sock.connect((to, int(port)))
        for _ in range(int(count)):
            if way == "connected":
                sock.send(b"question")
            else:
                sock.sendto(b"question", (to, int(port)))
            assert sock.recvfrom(_SIZE)[1][:2] == (to, int(port))
        witness.sent(sock, (to, int(port)), source, **_translated(nat, nat_port))


def serve_tcp(witness: Witness, ip: str, port: str) -> None:
    """Accept a connection."""
    with socket.create_server((ip, int(port)), family=_family(ip)) as listener:
        witness.tell({"ready": True})
        with listener.accept()[0] as accepted:
            accepted.recv(1)
            witness.accepted(accepted)


def ask_tcp(witness: Witness, to: str, port: str, nat: str, nat_port: str) -> None:
    """Connect."""
    with socket.create_connection((to, int(port))) as sock:
        witness.connected(sock, **_translated(nat, nat_port))
        sock.send(b"x")


def _translated(ip: str, port: str) -> dict[str, object]:
    if not ip:
        return {"nat_src_port": int(port), "nat_dst_ip": None, "nat_dst_port": None}
    return {"nat_dst_ip": ip, "nat_dst_port": int(port), "nat_src_ip": None, "nat_src_port": None}
