"""List the sockets of this network namespace, as the kernel lists them to anyone: netlink's sock_diag.

Layout: linux/inet_diag.h. Numbers are in the machine's byte order, addresses and ports in the network's.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from functools import partial
from typing import Literal, NamedTuple

from procwire.netlink import Netlink

__all__ = ["CONNECTED", "LISTEN", "TIME_WAIT", "Protocol", "Socket", "SocketTable"]

Protocol = Literal["tcp", "udp"]

TIME_WAIT, LISTEN, _CLOSE = 6, 10, 7
CONNECTED = frozenset({1, 4, 5, TIME_WAIT, 8, 9, 11})
"""States of a connection that is or was established: not those on the way there, nor CLOSE and LISTEN."""

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_IPPROTO_MPTCP, _REQ_PROTOCOL = 262, 3
_ALL_STATES = 0xFFFFFFFF
_REQUEST = struct.Struct("=BBBxI48x")
_ATTRIBUTE = struct.Struct("=HHI")
_ENDS = struct.Struct("!HH16s16s")
_MESSAGE = struct.Struct("=BBxx2x2x16x16x4xQ4x4x4xII")
_V4_MAPPED = bytes(10) + b"\xff\xff"


class Socket(NamedTuple):
    """Hold an internet socket; addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d."""

    protocol: Protocol
    state: int
    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    cookie: int
    user_id: int
    inode: int
    """0 where no process holds it."""


class SocketTable:
    """List sockets over one netlink socket, until closed.

    Raises OSError where the kernel has no sock_diag.
    """

    def __init__(self) -> None:
        self._netlink = Netlink(_NETLINK_SOCK_DIAG)
        self.has_mptcp = True

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def sockets(self, *, udp: bool = True) -> Iterator[Socket]:
        """Yield every TCP socket, IPv4 and IPv6, and every UDP socket.

        An MPTCP connection is listed once, as tcp, without its subflows.
        udp: whether to list UDP sockets. Raises OSError for a protocol that the kernel does not list.
        """
        whole = list(self._mptcp())
        yield from whole
        ends = {found[2:6] for found in whole if found.state in CONNECTED}
        for family in (socket.AF_INET, socket.AF_INET6):
            for found in self._dump("tcp", family, socket.IPPROTO_TCP):
                if found[2:6] not in ends:
                    yield found
            if udp:
                yield from self._dump("udp", family, socket.IPPROTO_UDP)

    def _mptcp(self) -> Iterator[Socket]:
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                yield from self._dump("tcp", family, _IPPROTO_MPTCP)
        except OSError:
            # Kernels before 5.9, or built without it.
            self.has_mptcp = False

    def _dump(self, protocol: Protocol, family: int, number: int) -> list[Socket]:
        request = _REQUEST.pack(family, number & 0xFF, 0, _ALL_STATES)
        if number > 0xFF:
            request += _ATTRIBUTE.pack(_ATTRIBUTE.size, _REQ_PROTOCOL, number)
        return self._netlink.dump(_SOCK_DIAG_BY_FAMILY, request, partial(_socket, protocol))


def _socket(protocol: Protocol, data: bytes) -> Socket:
    family, state, cookie, user_id, inode = _MESSAGE.unpack_from(data)
    local_port, remote_port, local, remote = _ENDS.unpack_from(data, 4)
    if family == socket.AF_INET:
        local, remote = _V4_MAPPED + local[:4], _V4_MAPPED + remote[:4]
    return Socket(protocol, state, local, local_port, remote, remote_port, cookie, user_id, inode)
