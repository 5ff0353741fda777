"""What looks like another process, another user or another program."""

from __future__ import annotations

import fcntl
import os
import pwd
import resource
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from traffic import libc
from traffic.children import fork, reap
from traffic.processes import reap_program
from traffic.tcp import abort, connect, listening
from traffic.udp import bound
from traffic.witness import Row, Witness, image, process

_SIZE = 65536
_COMMAND_BYTES = 1024


def sends_by_descriptor(witness: Witness, number: str) -> None:
    """A child sends by a socket of its parent, whose descriptor has another number there."""
    server, shared = bound(), bound()

    def send() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        descriptor = fcntl.fcntl(shared, fcntl.F_DUPFD, int(number))
        shared.close()
        with socket.socket(fileno=descriptor) as own:
            own.sendto(b"hello", server.getsockname())
            witness.sent(own, server.getsockname())

    reap([fork(send)])
    witness.received(server, server.recvfrom(_SIZE)[1])


def _shared_port(ip: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if ":" in ip:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((ip, port))
    listener.listen()
    return listener


def accepts_unseen(witness: Witness, other: str, order: str) -> None:
    """Two processes listen on a port; one accepts, does not ask who it is, and finds the connection reset.

    order: of the other process.
    """
    here, there = socket.socketpair()

    def listen() -> None:
        with _shared_port(other, 8000):
            there.sendall(b"x")
            there.recv(1)

    if order == "last":
        listener = _shared_port("127.0.0.1", 8000)
    child = fork(listen)
    here.recv(1)
    if order == "first":
        listener = _shared_port("127.0.0.1", 8000)
    client = connect(witness, ("127.0.0.1", 8000))
    accepted = libc.accept(listener)
    # Where the kernel shows each accept(), it is its caller's.
    witness.event("tcp", False, client.getsockname(), listener.getsockname(), attribution=...)
    abort(client)
    # Longer than it takes until nobody is waited for any more.
    time.sleep(1.5)
    accepted.close()
    here.sendall(b"x")
    reap([child])


def _by_c(witness: Witness, odd: str, way: str, *more: str, **who: Any) -> subprocess.Popen[bytes]:
    """Run it until its end; what connected is what it ran, once or so often as `count` says."""
    with socket.create_server(("127.0.0.1", 0), backlog=4_096) as listener:
        arguments = [odd, way, str(listener.getsockname()[1]), *more]
        count = who.pop("count", 1)
        program = subprocess.Popen(arguments)
        reap_program(program)
        row: Row = {"process_name": os.path.realpath(odd), "process_command_line": " ".join(arguments)}
        row |= {"process_parent_id": os.getpid(), "process_id": program.pid, "start_ticks": ...}
        if way == "thread-exec":
            row["process_command_line"] = f"odd plain {listener.getsockname()[1]}"
        if way in ("vfork", "shared-memory"):
            row |= {"process_parent_id": program.pid, "process_id": ...}
        for number in range(count):
            accepted, sender = listener.accept()
            witness.accepted(accepted)
            users = who.get("users")
            user = {"user_id": users[number], "effective_user_id": users[number]} if users else {}
            witness.event("tcp", True, sender, listener.getsockname(), **row, **user)
            accepted.close()
    return program


def as_c_does_it(witness: Witness, odd: str, way: str) -> None:
    """A child that shares its parent's memory; a thread that becomes another program."""
    _by_c(witness, odd, way)


def threads(witness: Witness, odd: str, count: str) -> None:
    """Threads that connect at the same moment."""
    _by_c(witness, odd, "threads", count, count=int(count))


def thread_of_another_user(witness: Witness, odd: str) -> None:
    """A thread that has become another user, alone of its process."""
    nobody = pwd.getpwnam("nobody").pw_uid
    _by_c(witness, odd, "thread-user", str(nobody), count=2, users=[nobody, os.getuid()])


def _bash() -> str:
    return os.path.realpath(shutil.which("bash") or "/bin/bash")


def image_called(witness: Witness, folder: str, name: str) -> None:
    """An executable of any name; bytes that are no text are shown as such."""
    copy = os.fsencode(folder) + b"/" + os.fsencode(name)
    shutil.copy2(os.fsencode(_bash()), copy)
    with listening() as listener:
        script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
        program = subprocess.Popen(["x", "--norc", "-c", script], executable=copy, stdin=subprocess.PIPE)
        accepted, sender = listener.accept()
        witness.accepted(accepted)
        shown = os.path.realpath(copy).decode(errors="replace")
        who = process(program.pid) | image(program.pid) | {"process_name": shown}
        witness.event("tcp", True, sender, listener.getsockname(), **who)
        program.communicate(b"end\n")


def points_at_another_file(witness: Witness, binary: str) -> None:
    """A process of an ordinary user has /proc/PID/exe show another program, which it never ran."""
    nobody = pwd.getpwnam("nobody").pw_uid
    with listening() as listener:
        arguments = [binary, str(listener.getsockname()[1]), _bash()]
        program = subprocess.Popen(["unshare", "--map-root-user", *arguments], user=nobody)
        reap_program(program)
        accepted, sender = listener.accept()
        witness.accepted(accepted)
        file = Path(binary).stat()
        who: Row = {"process_id": program.pid, "process_name": os.path.realpath(binary), "start_ticks": ...}
        who |= {"process_command_line": " ".join(arguments), "process_parent_id": os.getpid()}
        who |= {"process_image_device": file.st_dev, "process_image_inode": file.st_ino}
        who |= {"process_image_state": "replaced", "user_id": nobody, "effective_user_id": nobody}
        witness.event("tcp", True, sender, listener.getsockname(), **who)


def command_of_any_bytes(witness: Witness) -> None:
    """Arguments that are no text, have lines, are empty, and go on for longer than what is kept."""
    with listening() as listener:
        script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
        arguments = [b"ba\nsh", b"--norc", b"-c", script.encode(), b"\xff\xfe", b"", b"\x1b[31m", "ö".encode() * 1_000]
        program = subprocess.Popen(arguments, executable=_bash(), stdin=subprocess.PIPE)
        accepted, sender = listener.accept()
        witness.accepted(accepted)
        line = Path(f"/proc/{program.pid}/cmdline").read_bytes()[:_COMMAND_BYTES].replace(b"\0", b" ")
        who: Row = {"process_id": program.pid, "process_name": _bash(), "process_parent_id": os.getpid()}
        who |= {"process_command_line": line.decode(errors="replace"), "start_ticks": ...}
        witness.event("tcp", True, sender, listener.getsockname(), **who)
        program.communicate(b"end\n")
