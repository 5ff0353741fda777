"""What another user does so that a table of the recorder is full: as nobody, and until stdin ends."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from traffic import libc
from traffic.children import fork, reap
from traffic.witness import Witness

_SHARE = 16_000
"""Descriptors of one process."""


@contextmanager
def _kept(witness: Witness) -> Iterator[None]:
    """Be nobody; say that the table is full, and wait."""
    os.setuid(pwd.getpwnam("nobody").pw_uid)
    yield
    witness.tell({"ready": True})
    sys.stdin.read()


def _paced(count: int) -> Iterator[int]:
    """Count, some 10,000 a second: a recorder that shares two processors with much else must keep up."""
    for number in range(count):
        yield number
        if number % 1_000 == 999:
            time.sleep(0.1)


def handshakes(witness: Witness, ip: str, count: str) -> None:
    """Connections to an address that does not answer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    share = min(most - 64, _SHARE)
    full, full_here = os.pipe()
    until, until_here = os.pipe()

    def fill(port: int, sockets: int) -> None:
        os.close(until_here)
        clients = [socket.socket() for _ in range(sockets)]
        for client in clients:
            client.setblocking(False)
            found = client.connect_ex((ip, port))
            if found != errno.EINPROGRESS:
                raise RuntimeError(f"connect gave {errno.errorcode[found]}, expected EINPROGRESS")
        os.write(full_here, b"x")
        os.read(until, 1)

    with _kept(witness):
        firsts = range(0, int(count), share)
        children = [fork(partial(fill, first // share + 1, min(share, int(count) - first))) for first in firsts]
        for _ in children:
            os.read(full, 1)
    os.close(until_here)
    reap(children)


def backlogs(witness: Witness, count: str) -> None:
    """Connections that wait to be accepted, their clients gone."""
    listeners = []
    with _kept(witness):
        for host in range(1, 5):
            listener = socket.create_server((f"127.0.0.{host}", 8000), backlog=65_536)
            listeners.append(listener)
            for _ in _paced(int(count) // 4):
                # Not create_connection(), for which nobody would have to find more of Python.
                with socket.socket() as client:
                    client.connect(listener.getsockname())


def listeners(witness: Witness, count: str) -> None:
    """Listeners at ports of one address, more than the recorder remembers of a user."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with _kept(witness):
        # Not used: they are only to be there.
        _kept_open = [socket.create_server(("127.0.0.1", 0), backlog=1) for _ in _paced(int(count))]


def flows_of_many_users(witness: Witness, count: str) -> None:
    """UDP flows of the users of a user namespace that nobody has made: a hundred of each."""
    nobody = pwd.getpwnam("nobody").pw_uid
    (until, done), (until_mapped, mapped) = os.pipe(), os.pipe()

    def fill() -> None:
        os.setuid(nobody)
        libc.unshare(libc.CLONE_NEWUSER)
        os.write(done, b"x")
        os.read(until_mapped, 1)
        clients: list[socket.socket] = []
        for number in _paced(int(count)):
            if number % 100 == 0:
                os.setresuid(number // 100, 0, 0)
                clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
            clients[0].sendto(b"hello", ("127.1.0.1", 1024 + number % 100))

    child = fork(fill)
    os.read(until, 1)
    Path(f"/proc/{child}/uid_map").write_text("0 100000 65536")
    os.write(mapped, b"x")
    reap([child])
    with _kept(witness):
        pass


def flows(witness: Witness, count: str) -> None:
    """UDP flows of one socket, to where nobody is."""
    with _kept(witness), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number in _paced(int(count)):
            client.sendto(b"hello", (f"127.1.{number >> 12}.1", 1024 + (number & 0xFFF)))
