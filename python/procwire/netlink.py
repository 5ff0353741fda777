"""Request lists from the Linux kernel over netlink.

Layout: linux/netlink.h. The numbers of headers are in the machine's byte order.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Netlink", "attributes"]

T = TypeVar("T")

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
# NLM_F_REQUEST with NLM_F_ROOT and NLM_F_MATCH; NLM_F_DUMP_INTR of an answer.
_REQUEST_DUMP, _CHANGED_MEANWHILE = 0x1 | 0x300, 0x10
_HEADER, _ATTRIBUTE, _ERROR = struct.Struct("=IHHII"), struct.Struct("=HH"), struct.Struct("=i")
_RECEIVE_BYTES = 1 << 18
_TRIES = 3


class Netlink:
    """Request lists over one netlink socket of a protocol, such as `socket.NETLINK_ROUTE`, until closed.

    timeout_s: how long to wait for each answer; None waits for ever. Not for several threads at once. Raises OSError
    where the kernel, or a sandbox, has no such protocol.
    """

    def __init__(self, protocol: int, *, timeout_s: float | None = None) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.settimeout(timeout_s)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, kind: int, request: bytes, parse: Callable[[bytes], T]) -> list[T]:
        """Request a list, and return `parse` of each entry's payload.

        kind, request: the type and payload of the request. A list that changed while the kernel wrote it, and may
        lack entries, is requested again, up to three times in all. Raises OSError for an error that the kernel reports.
        """
        for _ in range(_TRIES):
            entries, is_consistent = self._dump(kind, request, parse)
            if is_consistent:
                break
        return entries

    def _dump(self, kind: int, request: bytes, parse: Callable[[bytes], T]) -> tuple[list[T], bool]:
        self._sequence += 1
        length = _HEADER.size + len(request)
        self._socket.sendto(_HEADER.pack(length, kind, _REQUEST_DUMP, self._sequence, 0) + request, (0, 0))
        entries: list[T] = []
        is_consistent = True
        while True:
            data = self._socket.recv(_RECEIVE_BYTES)
            offset = 0
            while offset + _HEADER.size <= len(data):
                length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
                if length < _HEADER.size:
                    raise OSError(errno.EBADMSG, f"found a netlink message of {length} bytes, expected {_HEADER.size}")
                payload = data[offset + _HEADER.size : offset + length]
                offset += _aligned(length)
                if sequence != self._sequence:
                    # The rest of a list that was given up.
                    continue
                is_consistent &= not flags & _CHANGED_MEANWHILE
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    _raise_for(payload)
                    return entries, is_consistent
                entries.append(parse(payload))


def attributes(data: bytes) -> dict[int, bytes]:
    """Split the attributes of an entry: type to value."""
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _raise_for(payload: bytes) -> None:
    """Raise OSError for the error number with which a list ends, if it has one."""
    number = -_ERROR.unpack_from(payload)[0] if len(payload) >= _ERROR.size else 0
    if number:
        raise OSError(number, f"the kernel refused a netlink request: {os.strerror(number)}")


def _aligned(length: int) -> int:
    return length + 3 & ~3
