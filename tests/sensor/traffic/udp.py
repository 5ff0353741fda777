"""UDP: one event for a flow, by the direction of its first datagram."""

from __future__ import annotations

import array
import errno
import os
import socket
import sys
import time
from collections.abc import Callable

from traffic import libc
from traffic.children import fork, reap
from traffic.tcp import LOOPBACK
from traffic.witness import Address, Witness

_UDP_SEGMENT = 103
_SIZE = 65536


def bound(family: str = "v4") -> socket.socket:
    """A socket on loopback."""
    kind, ip = LOOPBACK[family]
    sock = socket.socket(kind, socket.SOCK_DGRAM)
    sock.bind((ip, 0))
    return sock


# Each sends the first datagram of a flow from a socket that is not connected, or receives one.
SEND: dict[str, Callable[[socket.socket, Address], object]] = {
    "sendto": lambda sock, to: sock.sendto(b"hello", to),
    "sendmsg": lambda sock, to: sock.sendmsg([b"hel", b"lo"], [], 0, to),
    "sendmmsg": lambda sock, to: libc.sendmmsg(sock, [to, to]),
    "more": lambda sock, to: [sock.sendto(b"hel", socket.MSG_MORE, to), sock.sendto(b"lo", to)],
}
SEND_CONNECTED: dict[str, Callable[[socket.socket], object]] = {
    "send": lambda sock: sock.send(b"hello"),
    "write": lambda sock: os.write(sock.fileno(), b"hello"),
    "sendmsg": lambda sock: sock.sendmsg([b"hello"]),
    "writev": lambda sock: os.writev(sock.fileno(), [b"hel", b"lo"]),
}
RECEIVE: dict[str, Callable[[socket.socket], object]] = {
    "recvfrom": lambda sock: sock.recvfrom(_SIZE),
    "recv": lambda sock: sock.recv(_SIZE),
    "read": lambda sock: os.read(sock.fileno(), _SIZE),
    "recvmsg": lambda sock: sock.recvmsg(_SIZE),
    "recvmmsg": lambda sock: libc.recvmmsg(sock, 1),
    "recv_into": lambda sock: sock.recv_into(bytearray(_SIZE)),
    "peeked": lambda sock: [sock.recv(_SIZE, socket.MSG_PEEK), sock.recv(_SIZE)],
}


def exchange(witness: Witness, family: str) -> None:
    """A question, and answers to it: a flow for each end, whatever comes after the first datagram."""
    server = bound(family)

    def ask() -> None:
        client = bound(family)
        for number in range(5):
            client.sendto(b"question", server.getsockname())
            if number == 0:
                witness.sent(client, server.getsockname())
            client.recvfrom(_SIZE)

    child = fork(ask)
    for number in range(5):
        sender = server.recvfrom(_SIZE)[1]
        if number == 0:
            witness.received(server, sender)
        server.sendto(b"answer", sender)
    reap([child])


def sent_by(witness: Witness, way: str) -> None:
    """Each way to send from a socket that is not connected."""
    server, client = bound(), bound()
    SEND[way](client, server.getsockname())
    witness.sent(client, server.getsockname())
    witness.received(server, server.recvfrom(_SIZE)[1])


def sent_connected(witness: Witness, family: str) -> None:
    """Each way to send from a socket that is connected."""
    server = bound(family)
    for send in SEND_CONNECTED.values():
        with socket.socket(server.family, socket.SOCK_DGRAM) as client:
            client.connect(server.getsockname())
            send(client)
            send(client)
            witness.sent(client, server.getsockname())
            witness.received(server, server.recvfrom(_SIZE)[1])
            server.recvfrom(_SIZE)


def received_by(witness: Witness, way: str) -> None:
    """Each way to receive, by another process than the one that made the socket."""
    server, client = bound(), bound()

    def receive() -> None:
        RECEIVE[way](server)
        witness.received(server, client.getsockname())

    child = fork(receive)
    time.sleep(0.02)
    client.sendto(b"hello", server.getsockname())
    witness.sent(client, server.getsockname())
    reap([child])


def received_connected(witness: Witness) -> None:
    """Both ends are connected; what each sends after is of the same flow."""
    one, other = bound(), bound()
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    for _ in range(3):
        one.send(b"hello")
        other.recv(_SIZE)
        other.send(b"hello")
        one.recv(_SIZE)
    witness.sent(one, other.getsockname())
    witness.received(other, one.getsockname())


def many_peers(witness: Witness, count: str) -> None:
    """One socket that speaks to many, in turns; one call for all of the first turn."""
    servers = [bound() for _ in range(int(count))]
    client = bound()
    libc.sendmmsg(client, [server.getsockname() for server in servers])
    for _ in range(3):
        for server in servers:
            client.sendto(b"hello", server.getsockname())
    for server in servers:
        witness.sent(client, server.getsockname())
        witness.received(server, server.recvfrom(_SIZE)[1])


def many_senders(witness: Witness, count: str) -> None:
    """One socket that is spoken to by many; all wait when the first is read."""
    server = bound()
    clients = [bound() for _ in range(int(count))]
    for client in clients:
        client.sendto(b"hello", server.getsockname())
        witness.sent(client, server.getsockname())
    for _ in clients:
        witness.received(server, server.recvfrom(_SIZE)[1])


def reply_first(witness: Witness) -> None:
    """Who was spoken to speaks on: later, often, and to the same peer from the same socket."""
    server, client = bound(), bound()
    client.sendto(b"hello", server.getsockname())
    witness.sent(client, server.getsockname())
    witness.received(server, client.getsockname())
    # It answers before it has read.
    server.sendto(b"answer", client.getsockname())
    server.recvfrom(_SIZE)
    for _ in range(3):
        server.sendto(b"more", client.getsockname())
        client.recv(_SIZE)


def never_read(witness: Witness) -> None:
    """Nobody reads what came: it is the event of the socket's owner."""
    server, client = bound(), bound()
    client.sendto(b"hello", server.getsockname())
    witness.sent(client, server.getsockname())
    witness.received(server, client.getsockname(), attribution="owner")


def closed_port(witness: Witness) -> None:
    """Nobody is there, and an ICMP error says so: each datagram that is refused is an attempt."""
    with bound() as nobody:
        to = nobody.getsockname()
    client = bound()
    client.connect(to)
    refused = 0
    for number in range(4):
        try:
            client.send(b"hello")
        except ConnectionRefusedError:
            # The error is that of the datagram before; this one was not sent.
            refused += 1
            assert number % 2
            continue
        witness.attempted("refused", errno.ECONNREFUSED, client.getsockname(), to, network_protocol="udp")
    assert refused == 2


def opened_late(witness: Witness) -> None:
    """Refused at first; then somebody is there, and it is a flow."""
    with bound() as nobody:
        to = nobody.getsockname()
    client = bound()
    client.connect(to)
    client.send(b"hello")
    witness.attempted("refused", errno.ECONNREFUSED, client.getsockname(), to, network_protocol="udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(to)
        try:
            client.send(b"hello")
        except ConnectionRefusedError:
            client.send(b"hello")
        witness.sent(client, to)
        witness.received(server, server.recvfrom(_SIZE)[1])


def closed_port_unconnected(witness: Witness) -> None:
    """To a socket without a peer the kernel reports no error: what it sends is a flow."""
    with bound() as nobody:
        to = nobody.getsockname()
    with bound() as client:
        client.sendto(b"hello", to)
        witness.sent(client, to)


def v4_mapped(witness: Witness) -> None:
    """A server of both versions of IP, and clients of each kind."""
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", 0))
    port = server.getsockname()[1]
    ways = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1"), (socket.AF_INET6, "::1"))
    for family, ip in ways:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", (ip, port))
            witness.sent(client, (ip, port), ip)
            sender = server.recvfrom(_SIZE)[1]
            witness.received(server, sender, ip)
            server.sendto(b"answer", sender)
            client.recv(_SIZE)


def true_peer(witness: Witness) -> None:
    """Both ends bound to no address, the datagram to 127.0.0.2: the addresses are those on the wire."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 0))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to = ("127.0.0.2", server.getsockname()[1])
    client.sendto(b"hello", to)
    sender = server.recvfrom(_SIZE)[1]
    witness.sent(client, to, sender[0])
    witness.received(server, sender, to[0])


def segmented(witness: Witness) -> None:
    """One call that the kernel cuts into ten datagrams (GSO)."""
    server, client = bound(), bound()
    client.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, 1000)
    client.sendto(bytes(10_000), server.getsockname())
    witness.sent(client, server.getsockname())
    for _ in range(10):
        sender = server.recvfrom(_SIZE)[1]
    witness.received(server, sender)


def empty(witness: Witness) -> None:
    """A datagram without a byte."""
    server, client = bound(), bound()
    client.sendto(b"", server.getsockname())
    witness.sent(client, server.getsockname())
    witness.received(server, server.recvfrom(_SIZE)[1])


def rebound(witness: Witness) -> None:
    """The same ports by new sockets: new flows."""
    with bound() as first, bound() as second:
        server_at, client_at = first.getsockname(), second.getsockname()
    for _ in range(10):
        server, client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with server, client:
            server.bind(server_at)
            client.bind(client_at)
            client.sendto(b"hello", server_at)
            witness.sent(client, server_at)
            witness.received(server, server.recvfrom(_SIZE)[1])


def idle(witness: Witness, idle_s: str) -> None:
    """A flow that goes on within `idle_s`, falls silent for longer, and begins anew."""
    server, client = bound(), bound()

    def burst() -> None:
        for _ in range(4):
            client.sendto(b"hello", server.getsockname())
            server.recvfrom(_SIZE)
            time.sleep(float(idle_s) / 3)

    for _ in range(2):
        witness.sent(client, server.getsockname())
        witness.received(server, client.getsockname())
        burst()
        time.sleep(float(idle_s) * 1.5)


def not_udp(witness: Witness) -> None:
    """Sockets whose traffic is none of ours: local ones, raw ones."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.send(b"hello")
    other.recv(_SIZE)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as raw:
        raw.sendto(b"hello", ("127.0.0.1", 0))
    witness.tell({"process": witness.me()})


def listen(witness: Witness, local: str, port: str, group: str = "", interface: str = "", size: str = "5") -> None:
    """Receive a datagram at each of two sockets that share a port; where it was sent to is told by the packet.

    group: the multicast group to join on `interface`, or the broadcast address.
    """
    multicast = bool(interface)
    family = socket.AF_INET6 if ":" in (group or local) else socket.AF_INET
    sockets = []
    for _ in range(2 if group else 1):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((local, int(port)))
        if multicast:
            _join(sock, group, interface)
        sockets.append(sock)
    witness.tell({"ready": True})
    for sock in sockets:
        payload, sender = sock.recvfrom(_SIZE)
        assert len(payload) == int(size)
        witness.received(sock, sender, group or None)


def _join(sock: socket.socket, group: str, interface: str) -> None:
    index = array.array("i", [socket.if_nametoindex(interface)]).tobytes()
    if ":" in group:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + index)
    else:
        membership = socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + index
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def speak(witness: Witness, source_ip: str, ip: str, port: str, interface: str = "", size: str = "5") -> None:
    """Send to an address of any kind: of a host, of all of them, of a group."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if interface and family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
        to = (ip, int(port))
        sock.sendto(bytes(int(size)), to)
        witness.sent(sock, to, source_ip)


def many_ports(witness: Witness, count: str, one_of: str) -> None:
    """One socket that sends to `count` addresses and ports, where nobody is; told are ports that `one_of` divides."""
    client = bound()
    for number in range(int(count)):
        to = (f"127.1.{number >> 12}.1", 1024 + (number & 0xFFF))
        client.sendto(b"hello", to)
        if to[1] % int(one_of) == 0:
            witness.sent(client, to)


def wait(witness: Witness, port: str) -> None:
    """Listen, until stdin ends, for nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", int(port)))
        witness.tell({"ready": True})
        sys.stdin.read()


def three_addresses(witness: Witness) -> None:
    """One port speaks to three addresses of a socket that is bound to none: three flows, at either end."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 0))
    client = bound()
    for number in (1, 2, 3, 1, 2, 3):
        client.sendto(b"hello", (f"127.0.0.{number}", server.getsockname()[1]))
        server.recvfrom(_SIZE)
    for number in (1, 2, 3):
        to = (f"127.0.0.{number}", server.getsockname()[1])
        witness.sent(client, to)
        witness.received(server, client.getsockname(), to[0])


def answered_from_elsewhere(witness: Witness) -> None:
    """Who is asked at one address answers from another: for who is asked that is no new flow."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 0))
    client = bound()
    asked = ("127.0.0.2", server.getsockname()[1])
    for number in range(3):
        client.sendto(b"question", asked)
        server.recvfrom(_SIZE)
        server.sendto(b"answer", client.getsockname())
        answered = client.recvfrom(_SIZE)[1]
        if number == 0:
            witness.sent(client, asked)
            witness.received(server, client.getsockname(), asked[0])
            # Here it is one: what it comes from was never spoken to.
            witness.received(client, answered)


def link_local(witness: Witness, role: str, port: str, one: str, other: str) -> None:
    """fe80::1 speaks to fe80::2 on two interfaces, where these are two hosts, by a socket on each."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::", int(port)))
        scopes = [socket.if_nametoindex(interface) for interface in (one, other)]
        if role == "listen":
            witness.tell({"ready": True})
            for _ in range(4):
                sender = sock.recvfrom(_SIZE)[1]
                if sender[3] in scopes:
                    witness.received(sock, sender, "fe80::2", interface_index=sender[3])
                    scopes.remove(sender[3])
            return
        for scope in scopes * 2:
            sock.sendto(b"hello", ("fe80::2", int(port), 0, scope))
        for scope in scopes:
            witness.sent(sock, ("fe80::2", int(port), 0, scope), "fe80::1", interface_index=scope)


def answered_after_silence(witness: Witness, idle_s: str) -> None:
    """After a silence who was asked speaks first: the flow still is that of who asked."""
    server, client = bound(), bound()
    client.sendto(b"question", server.getsockname())
    server.recvfrom(_SIZE)
    for _ in range(2):
        witness.sent(client, server.getsockname())
        # Nobody waits for what comes then, or asks who sent it.
        witness.received(server, client.getsockname())
    time.sleep(float(idle_s) * 1.5)
    server.sendto(b"answer", client.getsockname())
    client.recvfrom(_SIZE)


def goes_on(witness: Witness, count: str) -> None:
    """One socket that speaks to many, and again when stdin ends."""
    servers = [bound() for _ in range(int(count))]
    client = bound()
    for server in servers:
        client.sendto(b"hello", server.getsockname())
        witness.sent(client, server.getsockname())
        witness.received(server, server.recvfrom(_SIZE)[1])
    witness.tell({"ready": True})
    sys.stdin.read()
    for server in servers:
        client.sendto(b"hello", server.getsockname())
        server.recvfrom(_SIZE)
