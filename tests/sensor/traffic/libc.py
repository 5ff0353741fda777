"""Calls that Python's socket module does not have."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any

__all__ = [
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "accept",
    "accept4",
    "bind_mount",
    "copy_mount",
    "disconnect",
    "exit_thread",
    "message",
    "packed",
    "recvmmsg",
    "sendmmsg",
    "setns",
    "stack_mounts",
    "take_away",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def setns(descriptor: int, kind: int) -> None:
    """Move the calling thread into a namespace."""
    _checked(_libc.setns(descriptor, kind))


def unshare(kind: int) -> None:
    """Give the calling thread a namespace of its own."""
    _checked(_libc.unshare(kind))


def exit_thread() -> None:
    """End the calling thread, be it the process's first, and leave the others running."""
    _libc.syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)


def bind_mount(source: str, target: str) -> None:
    """Show `source` at `target` too, in a mount namespace that the caller gets for it: others do not see it."""
    unshare(CLONE_NEWNS)
    _mount("none", "/", _MS_REC | _MS_PRIVATE)
    _mount(source, target, _MS_BIND)


def stack_mounts(target: str, count: int) -> None:
    """Mount `count` file systems in memory on `target`, one on the other, in a mount namespace that the caller gets."""
    unshare(CLONE_NEWNS)
    _mount("none", "/", _MS_REC | _MS_PRIVATE)
    for _ in range(count):
        _checked(_libc.mount(b"tmpfs", target.encode(), b"tmpfs", ctypes.c_ulong(0), None))


def take_away(target: str) -> None:
    """Unmount what is on top of `target` from there; who uses it keeps it."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH))


def copy_mount(path: str) -> int:
    """A descriptor of a copy of the mount at `path`, which is in no place: open_tree(2), the same on both machines."""
    _libc.syscall.restype = ctypes.c_long
    clone = 1
    return _checked(_libc.syscall(428, -100, path.encode(), clone))


def _mount(source: str, target: str, flags: int) -> None:
    _checked(_libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None))


def accept(listener: socket.socket) -> socket.socket:
    """accept(fd, NULL, NULL): the caller does not ask who it is."""
    return socket.socket(fileno=_checked(_libc.accept(listener.fileno(), None, None)))


def accept4(listener: socket.socket) -> socket.socket:
    """accept4(fd, NULL, NULL, SOCK_CLOEXEC)."""
    return socket.socket(fileno=_checked(_libc.accept4(listener.fileno(), None, None, socket.SOCK_CLOEXEC)))


def disconnect(sock: socket.socket) -> None:
    """connect() to AF_UNSPEC: the socket can be connected anew."""
    _checked(_libc.connect(sock.fileno(), bytes(16), 16))


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def message(name: bytes, payload_bytes: int) -> tuple[_Header, list[Any]]:
    """A struct msghdr, and what must stay alive with it."""
    header = _Header()
    buffer = ctypes.create_string_buffer(name, len(name))
    payload = ctypes.create_string_buffer(b"x" * payload_bytes, payload_bytes)
    vector = _Vector(ctypes.addressof(payload), payload_bytes)
    header.name, header.name_length = ctypes.addressof(buffer), len(name)
    header.vectors, header.vector_count = ctypes.pointer(vector), 1
    return header, [payload, vector, buffer]


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


def _messages(names: Sequence[bytes], payload_bytes: int) -> tuple[Any, list[Any]]:
    """An array of struct mmsghdr, and what must stay alive with it."""
    messages = (_Message * len(names))()
    alive = []
    for one, name in zip(messages, names, strict=True):
        one.header, parts = message(name, payload_bytes)
        alive.append(parts)
    return messages, alive


def packed(ip: str, port: int) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(ip) + bytes(8)


def sendmmsg(sock: socket.socket, to: Sequence[tuple[str, int]]) -> None:
    """Send a datagram to each IPv4 address, by one call."""
    messages, _alive = _messages([packed(*address) for address in to], 10)
    sent = _checked(_libc.sendmmsg(sock.fileno(), messages, len(messages), 0))
    if sent != len(to):
        raise OSError(f"found {sent} datagrams sent, expected {len(to)}")


def recvmmsg(sock: socket.socket, count: int) -> list[tuple[str, int]]:
    """Receive `count` datagrams by one call; their IPv4 senders."""
    messages, alive = _messages([bytes(16)] * count, 100)
    received = _checked(_libc.recvmmsg(sock.fileno(), messages, count, 0, None))
    if received != count:
        raise OSError(f"found {received} datagrams received, expected {count}")
    names = [buffer.raw for _, _, buffer in alive]
    return [(socket.inet_ntoa(name[4:8]), struct.unpack("!H", name[2:4])[0]) for name in names]
