"""A minimal io_uring: as much of io_uring(7) as one socket operation at a time takes, by its raw calls."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import sys
from collections.abc import Iterator

__all__ = ["Ring", "unavailable"]

_SETUP, _ENTER = 425, 426
_SQES = 0x10000000
_SQE_BYTES, _CQE_BYTES = 64, 16
_SETUP_SQPOLL = 2
_ENTER_GETEVENTS, _ENTER_SQ_WAKEUP = 1, 2
_SENDMSG, _RECVMSG, _ACCEPT, _CONNECT, _SEND, _RECV = 9, 10, 13, 16, 26, 27
_ACCEPT_MULTISHOT = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def unavailable() -> str | None:
    """Why io_uring is not to be had here; None if it is."""
    if sys.platform != "linux":
        return "no io_uring: not Linux"
    try:
        Ring().close()
    except OSError as error:
        return f"no io_uring: {error.strerror}"
    return None


class Ring:
    """A ring of 8 entries. poll: a thread of the kernel takes what is submitted."""

    def __init__(self, poll: bool = False) -> None:
        parameters = bytearray(120)
        struct.pack_into("=5I", parameters, 0, 0, 0, _SETUP_SQPOLL if poll else 0, 0, 1000)
        self._poll = poll
        self._descriptor = _syscall(_SETUP, 8, (ctypes.c_char * 120).from_buffer(parameters))
        sq_entries, cq_entries = struct.unpack_from("=2I", parameters, 0)
        _, self._sq_tail, self._sq_mask, _, _, _, self._sq_array = struct.unpack_from("=7I", parameters, 40)
        self._cq_head, self._cq_tail, self._cq_mask, _, _, self._cqes = struct.unpack_from("=6I", parameters, 80)
        # Since Linux 5.4 both queues lie in one mapping.
        size = max(self._sq_array + 4 * sq_entries, self._cqes + _CQE_BYTES * cq_entries)
        self._ring = mmap.mmap(self._descriptor, size)
        self._entries = mmap.mmap(self._descriptor, _SQE_BYTES * sq_entries, offset=_SQES)

    def accept(self, descriptor: int, multishot: bool = False) -> None:
        """Submit an accept; `results` gives the connection's descriptor, again and again with `multishot`."""
        self._submit(_ACCEPT, descriptor, priority=_ACCEPT_MULTISHOT if multishot else 0)

    def connect(self, descriptor: int, address: bytes) -> int:
        """Connect to a struct sockaddr."""
        buffer = ctypes.create_string_buffer(address, len(address))
        self._submit(_CONNECT, descriptor, ctypes.addressof(buffer), offset=len(address))
        return next(self.results())

    def send(self, descriptor: int, payload: bytes) -> int:
        """Send to whom the socket is connected to."""
        buffer = ctypes.create_string_buffer(payload, len(payload))
        self._submit(_SEND, descriptor, ctypes.addressof(buffer), len(payload))
        return next(self.results())

    def receive(self, descriptor: int) -> bytes:
        """Receive up to 100 bytes."""
        buffer = ctypes.create_string_buffer(100)
        self._submit(_RECV, descriptor, ctypes.addressof(buffer), 100)
        return buffer.raw[: next(self.results())]

    def send_message(self, descriptor: int, header: ctypes.Structure) -> int:
        """sendmsg(2) of a struct msghdr."""
        self._submit(_SENDMSG, descriptor, ctypes.addressof(header), 1)
        return next(self.results())

    def receive_message(self, descriptor: int, header: ctypes.Structure) -> int:
        """recvmsg(2) into a struct msghdr."""
        self._submit(_RECVMSG, descriptor, ctypes.addressof(header), 1)
        return next(self.results())

    def results(self) -> Iterator[int]:
        """The results of what was submitted, as they come. Raises OSError for one that is an error."""
        while True:
            head, tail = self._word(self._cq_head), self._word(self._cq_tail)
            if head == tail:
                self._enter(0, 1)
                continue
            entry = self._cqes + _CQE_BYTES * (head & self._word(self._cq_mask))
            _, result = struct.unpack_from("=Qi", self._ring, entry)
            struct.pack_into("=I", self._ring, self._cq_head, (head + 1) & 0xFFFFFFFF)
            if result < 0:
                raise OSError(-result, os.strerror(-result))
            yield result

    def close(self) -> None:
        """Give it back; operations that are under way are cancelled."""
        self._entries.close()
        self._ring.close()
        os.close(self._descriptor)

    def _submit(
        self, operation: int, descriptor: int, address: int = 0, length: int = 0, offset: int = 0, priority: int = 0
    ) -> None:
        tail = self._word(self._sq_tail)
        slot = tail & self._word(self._sq_mask)
        entry = struct.pack("=BBHiQQI", operation, 0, priority, descriptor, offset, address, length)
        self._entries[slot * _SQE_BYTES : (slot + 1) * _SQE_BYTES] = entry.ljust(_SQE_BYTES, b"\0")
        struct.pack_into("=I", self._ring, self._sq_array + 4 * slot, slot)
        struct.pack_into("=I", self._ring, self._sq_tail, (tail + 1) & 0xFFFFFFFF)
        self._enter(1, 0)

    def _enter(self, submit: int, wait: int) -> None:
        flags = (_ENTER_GETEVENTS if wait else 0) | (_ENTER_SQ_WAKEUP if self._poll else 0)
        _syscall(_ENTER, self._descriptor, submit, wait, flags, None, 0)

    def _word(self, offset: int) -> int:
        word: int = struct.unpack_from("=I", self._ring, offset)[0]
        return word
