"""List which addresses are this machine's, according to the kernel (rtnetlink), and which belong to no machine."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from procwire.netlink import Netlink, attributes

__all__ = ["LOOPBACK", "Addresses", "Named", "OwnAddresses", "can_be_asked", "can_be_own"]

LOOPBACK = "127.0.0.1"
"""An address that is this machine's for sure."""
Named = tuple[str | None, str | None]
"""The name of an address and the name's origin; None for none."""

_RTM_GETADDR = 22
# RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR: notified of every address that is added or removed.
_GROUPS = 0x10 | 0x100
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
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
    with Netlink(socket.NETLINK_ROUTE, timeout_s=_DUMP_TIMEOUT_S) as netlink:
        for found in netlink.dump(_RTM_GETADDR, b"\0", lambda entry: attributes(entry[_IFADDRMSG_BYTES:])):
            # On a point-to-point link IFA_ADDRESS is the other end's.
            address = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
            if address:
                own.add(_text(address))
            if _IFA_BROADCAST in found:
                broadcast.add(_text(found[_IFA_BROADCAST]))
    return Addresses(frozenset(own), frozenset(broadcast))


def _text(address: bytes) -> str:
    return str(ip_address(address))
