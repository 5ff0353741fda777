"""List which addresses are this machine's, according to the kernel (rtnetlink), and which belong to no machine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["LOOPBACK", "Addresses", "Named", "OwnAddresses", "can_be_asked", "can_be_own"]

LOOPBACK = "127.0.0.1"
"""An address that is this machine's for sure."""
Named = tuple[str | None, str | None]
"""The name of an address and the name's origin; None for none."""

_RTM_GETADDR, _NLMSG_ERROR, _NLMSG_DONE = 22, 2, 3
_REQUEST_DUMP = 0x301
# RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR: notified of every address that is added or removed.
_GROUPS = 0x10 | 0x100
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_IFADDRMSG_BYTES = 8
_READ_BYTES = 65_536
_DUMP_TIMEOUT_S = 1.0


class Addresses(NamedTuple):
    """Hold addresses as text, IPv6 as RFC 5952 writes it."""

    own: frozenset[str]
    broadcast: frozenset[str]


class OwnAddresses:
    """List the addresses of the network namespace that it is made in; read them again when the kernel reports a change.

    Where there is no rtnetlink (a sandbox without AF_NETLINK) there are none.
    """

    def __init__(self) -> None:
        self._changes: socket.socket | None = None
        self._addresses = Addresses(frozenset(), frozenset())
        try:
            # Subscribe before reading, so that no change is missed between.
            self._changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self._changes.setblocking(False)
            self._changes.bind((0, _GROUPS))
            self._addresses = _read()
        except OSError:
            self.close()

    @property
    def now(self) -> Addresses:
        """Return the current addresses."""
        if self._changes is not None and _has_news(self._changes):
            # If it fails, keep the old ones until the next change, which retries.
            with suppress(OSError):
                self._addresses = _read()
        return self._addresses

    def close(self) -> None:
        """Close the subscription."""
        if self._changes is not None:
            self._changes.close()
            self._changes = None


@lru_cache(65_536)
def can_be_own(address: str) -> bool:
    """Return whether an address can belong to one machine: not multicast, broadcast or unspecified."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_multicast or parsed.is_unspecified or address == "255.255.255.255")


@lru_cache(65_536)
def can_be_asked(address: str) -> bool:
    """Return whether the DNS can have a name for an address.

    IPv4's link-local ones may have one (clouds' metadata services do), IPv6's never.
    """
    return can_be_own(address) and not (":" in address and ip_address(address).is_link_local)


def _has_news(changes: socket.socket) -> bool:
    news = False
    while True:
        try:
            changes.recv(_READ_BYTES)
        except BlockingIOError:
            return news
        except OSError:
            # ENOBUFS: so many changes that some were not reported.
            return True
        news = True


def _read() -> Addresses:
    own, broadcast = set(), set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as dump:
        dump.settimeout(_DUMP_TIMEOUT_S)
        dump.sendto(_HEADER.pack(_HEADER.size + 1, _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + b"\0", (0, 0))
        for attributes in _messages(dump):
            # On a point-to-point link IFA_ADDRESS is the other end's.
            address = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
            if address:
                own.add(_text(address))
            if _IFA_BROADCAST in attributes:
                broadcast.add(_text(attributes[_IFA_BROADCAST]))
    return Addresses(frozenset(own), frozenset(broadcast))


def _messages(dump: socket.socket) -> Iterator[dict[int, bytes]]:
    """Yield the attributes of each address, up to the end of the dump."""
    while True:
        data = dump.recv(_READ_BYTES)
        while len(data) >= _HEADER.size:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR or length < _HEADER.size:
                raise OSError("found an error, expected a list of addresses from rtnetlink")
            yield _attributes(data[_HEADER.size + _IFADDRMSG_BYTES : length])
            data = data[_aligned(length) :]


def _attributes(data: bytes) -> dict[int, bytes]:
    attributes = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return attributes


def _aligned(length: int) -> int:
    return length + 3 & ~3


def _text(address: bytes) -> str:
    return str(ip_address(address))
