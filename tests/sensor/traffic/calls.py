"""System calls that are made as few programs make them: by the 32-bit ABI, or answered by a supervisor."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
from collections.abc import Callable

from traffic import libc
from traffic.children import fork, reap
from traffic.tcp import connect, listening
from traffic.witness import Witness

# Numbers of the 32-bit ABI, and what its socketcall() calls.
_GETPID, _SOCKETCALL, _KEYCTL, _CONNECT, _ACCEPT4 = 20, 102, 288, 362, 364
_SOCKETCALL_CONNECT, _SOCKETCALL_ACCEPT = 3, 5
_KEYCTL_ASSUME_AUTHORITY = 16

_MAP_32BIT = 0x40
# long call(int number, int a, int b, int c): to the registers of int 0x80, and back
_CODE = bytes.fromhex("53 89f8 89f3 4189c8 89d1 4489c2 31f6 31ff cd80 4898 5b c3")


def _low_memory(size: int, protection: int) -> int:
    """Memory that 32 bits can address."""
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_32BIT
    address: int = call(None, size, protection, flags, -1, 0)
    return address


def _call_of_32_bits() -> Callable[[int, int, int, int], int]:
    address = _low_memory(len(_CODE), mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    ctypes.memmove(address, _CODE, len(_CODE))
    return ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_int] * 4)(address)


def getpid_of_32_bits(witness: Witness) -> None:
    """Ends well where the kernel takes calls of 32-bit programs; dies where it does not."""
    del witness
    if os.uname().machine != "x86_64" or _call_of_32_bits()(_GETPID, 0, 0, 0) != os.getpid():
        raise RuntimeError("no system calls of 32-bit programs")


def keyctl_of_32_bits(witness: Witness) -> None:
    """A client makes a call that has accept4's number in another ABI, and returns the descriptor of its connection."""
    call = _call_of_32_bits()
    listener = listening()

    def work() -> None:
        client = connect(witness, listener.getsockname())
        os.dup2(client.fileno(), 0)
        result = call(_KEYCTL, _KEYCTL_ASSUME_AUTHORITY, 0, 0)
        if result:
            raise RuntimeError(f"keyctl gave {result}, expected 0, the descriptor of a connection")

    child = fork(work)
    witness.accepted(listener.accept()[0])
    reap([child])


def accept_of_32_bits(witness: Witness) -> None:
    """accept() as 32-bit programs make it, by its own call and by socketcall()."""
    call = _call_of_32_bits()
    listener = listening()
    arguments = _low_memory(mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)
    ctypes.memmove(arguments, struct.pack("3I", listener.fileno(), 0, 0), 12)
    for numbers in ((_ACCEPT4, listener.fileno(), 0), (_SOCKETCALL, _SOCKETCALL_ACCEPT, arguments)):
        with connect(witness, listener.getsockname()):
            witness.accepted(socket.socket(fileno=call(*numbers, 0)))


def unreachable_of_32_bits(witness: Witness, ip: str) -> None:
    """connect() as 32-bit programs make it, where there is no way."""
    call = _call_of_32_bits()
    memory = _low_memory(mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)
    ctypes.memmove(memory + 16, libc.packed(ip, 443), 16)
    for by_socketcall in (False, True):
        with socket.socket() as client:
            ctypes.memmove(memory, struct.pack("3I", client.fileno(), memory + 16, 16), 12)
            if by_socketcall:
                result = call(_SOCKETCALL, _SOCKETCALL_CONNECT, memory, 0)
            else:
                result = call(_CONNECT, client.fileno(), memory + 16, 16)
            if result != -errno.ENETUNREACH:
                raise RuntimeError(f"connect gave {result}, expected {-errno.ENETUNREACH}")
            witness.attempted("unreachable", errno.ENETUNREACH, None, (ip, 443))


# linux/seccomp.h, linux/filter.h
_SET_MODE_FILTER, _NEW_LISTENER, _ADD_FD_SEND = 1, 1 << 3, 1 << 1
_NOTIFY, _ALLOW, _CONTINUE = 0x7FC00000, 0x7FFF0000, 1
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_RECEIVE, _ADD_FD, _SEND = 0xC0502100, 0x40182103, 0xC0182101
_PR_SET_NO_NEW_PRIVS = 38
# The calls of accept4 and seccomp, by architecture.
_NUMBERS = {"x86_64": (288, 317), "aarch64": (242, 277)}


def supervised(witness: Witness, way: str) -> None:
    """accept() of a process whose supervisor (seccomp's user notification) answers in its stead, or lets it go on.

    way: `takes` (the supervisor accepts, and adds the descriptor), `lies` (it returns the descriptor of a client of the
    process itself), `allows`.
    """
    listener, kernel = listening(), ctypes.CDLL(None, use_errno=True)
    accept4, seccomp = _NUMBERS[os.uname().machine]
    here, there = socket.socketpair()

    def work() -> None:
        client = connect(witness, listener.getsockname())
        steps = [(_LOAD, 0, 0, 0), (_EQUAL, 0, 1, accept4), (_RETURN, 0, 0, _NOTIFY), (_RETURN, 0, 0, _ALLOW)]
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
        header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        notifications = kernel.syscall(seccomp, _SET_MODE_FILTER, _NEW_LISTENER, header)
        if notifications < 0:
            raise OSError(ctypes.get_errno(), "seccomp")
        socket.send_fds(there, [client.fileno().to_bytes(4, "little")], [notifications])
        os.close(notifications)
        if way == "allows":
            witness.accepted(libc.accept4(listener))
        else:
            libc.accept4(listener).close()

    child = fork(work)
    message, [notifications], *_ = socket.recv_fds(here, 4, 1)
    request = bytearray(80)
    fcntl.ioctl(notifications, _RECEIVE, request)
    [number] = struct.unpack_from("Q", request)
    if way == "takes":
        accepted = listener.accept()[0]
        witness.accepted(accepted)
        fcntl.ioctl(
            notifications, _ADD_FD, bytearray(struct.pack("QIIII", number, _ADD_FD_SEND, accepted.fileno(), 0, 0))
        )
    elif way == "lies":
        witness.accepted(listener.accept()[0])
        value = int.from_bytes(message, "little")
        fcntl.ioctl(notifications, _SEND, bytearray(struct.pack("QqiI", number, value, 0, 0)))
    else:
        fcntl.ioctl(notifications, _SEND, bytearray(struct.pack("QqiI", number, 0, 0, _CONTINUE)))
    reap([child])
