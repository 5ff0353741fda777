"""Who did it: processes that fork, exec, exit at once, hand sockets on, or are many."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from traffic import libc
from traffic.children import fork, reap
from traffic.tcp import abort, connect, listening
from traffic.udp import RECEIVE, bound
from traffic.witness import Row, Witness, image, process

# Without a look-up of its parts, and without a fork: bash itself connects.
_BASH = ("bash", "--norc", "--noprofile", "-c")
_SIZE = 65536


def short_lived(witness: Witness, count: str, protocol: str) -> None:
    """Programs that exit at once after connect or sendto, each with a command line of its own.

    They cannot tell their port: the server sees it, and they say who they are.
    """
    server = listening() if protocol == "tcp" else bound()
    port = server.getsockname()[1]
    script = f"printf %s:%s $$ $1 > /dev/{protocol}/127.0.0.1/{port}"
    children = [subprocess.Popen([*_BASH, script, "bash", f"no-{number}"]) for number in range(int(count))]
    for _ in children:
        if protocol == "tcp":
            accepted, sender = server.accept()
            witness.accepted(accepted)
            said = accepted.recv(_SIZE).decode()
        else:
            payload, sender = server.recvfrom(_SIZE)
            witness.received(server, sender)
            said = payload.decode()
        child, _, name = said.partition(":")
        who = {
            "process_id": int(child),
            "process_name": os.path.realpath(shutil.which("bash") or "/bin/bash"),
            "process_command_line": " ".join([*_BASH, script, "bash", name]),
            "process_parent_id": os.getpid(),
        }
        # It has long exited, so that its start is not to be had.
        witness.event(protocol, True, sender, server.getsockname(), **who, start_ticks=...)
    for program in children:
        program.wait()


def forks_at_once(witness: Witness, count: str) -> None:
    """Many children within a second, each with a connection of its own."""
    listener = listening()
    to = listener.getsockname()
    children = [fork(lambda: connect(witness, to).close()) for _ in range(int(count))]
    for _ in children:
        witness.accepted(listener.accept()[0])
    reap(children)


def storm(witness: Witness, binary: str, count: str) -> None:
    """Children of one program that connect at the same moment. They cannot tell: the server sees their ports."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(65_536)
        arguments = [binary, count, str(listener.getsockname()[1])]
        program = subprocess.Popen(arguments)
        who: Row = {"process_name": os.path.realpath(binary), "process_command_line": " ".join(arguments)}
        who |= {"process_parent_id": program.pid, "process_id": ..., "start_ticks": ...}
        if program.wait():
            raise RuntimeError(f"{arguments} ended with {program.returncode}")
        for _ in range(int(count)):
            accepted, sender = listener.accept()
            witness.accepted(accepted)
            witness.event("tcp", True, sender, listener.getsockname(), **who)
            accepted.close()


def come_and_go(witness: Witness, binary: str, thousands: str) -> None:
    """A server of many clients, which are thousands of processes, and two others that connect before and after them."""
    busy, idle = (socket.create_server(("127.0.0.1", port), backlog=1_000) for port in (8000, 8001))

    until, until_here = os.pipe()

    def twice() -> None:
        os.close(until_here)
        connect(witness, idle.getsockname()).close()
        os.read(until, 1)
        connect(witness, idle.getsockname()).close()

    children = []
    for _ in range(2):
        children.append(fork(twice))
        witness.accepted(idle.accept()[0])
    for _ in range(int(thousands)):
        clients = subprocess.Popen([binary, "1000", "8000"])
        for _ in range(1_000):
            witness.accepted(busy.accept()[0])
        if clients.wait():
            raise RuntimeError(f"{binary} ended with {clients.returncode}")
    os.close(until_here)
    for _ in children:
        witness.accepted(idle.accept()[0])
    reap(children)


def workers(witness: Witness, count: str, connections: str) -> None:
    """Children that accept at the same listener, which their parent made: each what it accepts."""
    listener = listening()

    def work() -> None:
        while True:
            accepted, sender = listener.accept()
            witness.event("tcp", False, sender, listener.getsockname())
            if accepted.recv(1) == b"q":
                return
            accepted.sendall(b"k")
            accepted.close()

    children = [fork(work) for _ in range(int(count))]
    for last in (False, True):
        for _ in range(int(count) if last else int(connections)):
            with connect(witness, listener.getsockname()) as client:
                client.sendall(b"q" if last else b"x")
                client.recv(1)
    reap(children)


def workers_reset(witness: Witness, count: str, connections: str) -> None:
    """Children that accept, and clients that reset at once: before accept() has taken the connection, while it does,
    or after. Whoever accepts is whose event it is."""
    listener = listening()

    def work() -> None:
        while True:
            accepted, sender = listener.accept()
            witness.event("tcp", False, sender, listener.getsockname())
            with accepted:
                try:
                    if accepted.recv(1) == b"q":
                        accepted.sendall(b"k")
                        return
                except ConnectionResetError:
                    continue

    children = [fork(work) for _ in range(int(count))]
    for _ in range(int(connections)):
        abort(connect(witness, listener.getsockname()))
    for _ in children:
        with connect(witness, listener.getsockname()) as client:
            client.sendall(b"q")
            client.recv(1)
    reap(children)


def threads(witness: Witness, count: str) -> None:
    """Threads that connect and accept, UDP too: events are of their process."""
    listener, server = listening(), bound()

    def work() -> None:
        with connect(witness, listener.getsockname()):
            witness.accepted(listener.accept()[0])
        with bound() as client:
            client.sendto(b"hello", server.getsockname())
            witness.sent(client, server.getsockname())
            witness.received(server, server.recvfrom(_SIZE)[1])

    running = [threading.Thread(target=work) for _ in range(int(count))]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def leader_gone(witness: Witness) -> None:
    """A thread that goes on after its process's main thread has ended."""
    listener = listening()
    read_end, write_end = os.pipe()

    def main() -> None:
        me = witness.me()

        def later() -> None:
            while Path(f"/proc/self/task/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                pass
            with socket.create_connection(listener.getsockname()) as client:
                witness.event("tcp", True, client.getsockname(), client.getpeername(), **me)
            os.write(write_end, b"x")
            os._exit(0)

        threading.Thread(target=later).start()
        libc.exit_thread()

    child = fork(main)
    witness.accepted(listener.accept()[0])
    os.read(read_end, 1)
    reap([child])


def passed_on(witness: Witness) -> None:
    """Sockets passed to another process by SCM_RIGHTS: the event is of who uses them, and passing is none."""
    listener, sender, receiver = listening(), bound(), bound()
    to = receiver.getsockname()
    connected = connect(witness, listener.getsockname())
    witness.accepted(listener.accept()[0])
    here, there = socket.socketpair()

    def use() -> None:
        for own in (listener, sender, receiver, connected):
            own.close()
        _, descriptors, _, _ = socket.recv_fds(there, 1, 4)
        passed_listener, passed_sender, passed_receiver, passed_connected = (
            socket.socket(fileno=descriptor) for descriptor in descriptors
        )
        there.sendall(b"r")
        passed_sender.sendto(b"hello", to)
        witness.sent(passed_sender, to)
        witness.received(passed_receiver, passed_receiver.recvfrom(_SIZE)[1])
        witness.accepted(passed_listener.accept()[0])
        passed_connected.sendall(b"hello")

    child = fork(use)
    socket.send_fds(here, [b"x"], [sock.fileno() for sock in (listener, sender, receiver, connected)])
    here.recv(1)
    with connect(witness, listener.getsockname()):
        reap([child])


def inherited(witness: Witness, unseen: str) -> None:
    """UDP sockets inherited over fork: parent and child send by the same one, to peers of their own.

    unseen: attribution of what was read while both had the socket, without a sign of which did.
    """
    server_of_parent, server_of_child, shared = bound(), bound(), bound()

    def use() -> None:
        shared.sendto(b"hello", server_of_child.getsockname())
        witness.sent(shared, server_of_child.getsockname())

    shared.sendto(b"hello", server_of_parent.getsockname())
    witness.sent(shared, server_of_parent.getsockname())
    reap([fork(use)])
    RECEIVE["recv"](server_of_parent)
    witness.received(server_of_parent, shared.getsockname())
    RECEIVE["recv"](server_of_child)
    witness.received(server_of_child, shared.getsockname(), attribution=unseen)
    # What only one process could have read was read by it, which is known after a second, if it has the socket still.
    time.sleep(3)


def exec_after_connect(witness: Witness) -> None:
    """A process that connects, becomes another program and connects again: two images, one ProcessGuid."""
    listener = listening()
    port = listener.getsockname()[1]
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}"

    def become() -> None:
        connect(witness, listener.getsockname()).set_inheritable(True)
        os.execvp("bash", [*_BASH, script])

    child = fork(become)
    witness.accepted(listener.accept()[0])
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    bash = os.path.realpath(shutil.which("bash") or "/bin/bash")
    row = {
        "process_id": child,
        "process_name": bash,
        "process_command_line": " ".join([*_BASH, script]),
        "process_parent_id": os.getpid(),
        "start_ticks": _start_ticks_of_zombie(child),
    }
    witness.event("tcp", True, sender, listener.getsockname(), **row)
    reap([child])


def _start_ticks_of_zombie(child: int) -> int:
    # Not reaped yet, so that its number and start are still there, its image no more.
    return int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19])


def image_removed(witness: Witness, folder: str) -> None:
    """An executable that is gone while it runs: its path is told as it was."""
    listener = listening()
    copy = Path(folder, "bash-copy")
    shutil.copy2(shutil.which("bash") or "/bin/bash", copy)
    script = f"read; exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    program = subprocess.Popen([copy, "--norc", "-c", script], stdin=subprocess.PIPE)
    assert program.stdin is not None
    # It waits for a line, so it has begun once it is no longer python.
    while process(program.pid)["process_name"] != str(copy):
        pass
    copy.unlink()
    program.stdin.write(b"go\n")
    program.stdin.flush()
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    witness.event("tcp", True, sender, listener.getsockname(), **process(program.pid))
    program.communicate(b"end\n")


def image_on_other_mount(witness: Witness, folder: str) -> None:
    """An executable on a mount of its own, in a mount namespace of its own: its path is that from the root."""
    bash = Path(os.path.realpath(shutil.which("bash") or "/bin/bash"))
    libc.bind_mount(str(bash.parent), folder)
    listener = listening()
    script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    program = subprocess.Popen([Path(folder, bash.name), "--norc", "-c", script], stdin=subprocess.PIPE)
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    who = process(program.pid)
    if who["process_name"] != f"{folder}/{bash.name}":
        raise RuntimeError(f"found {who['process_name']}")
    witness.event("tcp", True, sender, listener.getsockname(), **who)
    program.communicate(b"end\n")


def in_pid_namespace(witness: Witness) -> None:
    """A process that is number 1 where it lives, as in a container: its number is that of the machine."""
    listener = listening()
    until, done = os.pipe()
    libc.unshare(libc.CLONE_NEWPID)

    def work() -> None:
        assert os.getpid() == 1
        with socket.create_connection(listener.getsockname()):
            os.read(until, 1)

    child = fork(work)
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    witness.event("tcp", True, sender, listener.getsockname(), **process(child))
    os.write(done, b"x")
    reap([child])


def moved_on(witness: Witness) -> None:
    """Sockets made in one network namespace, used by a process that has moved to another: they stay where they are."""
    witness.me()
    listener, client, server, datagrams = listening(), socket.socket(), bound(), bound()
    libc.unshare(libc.CLONE_NEWNET)
    client.connect(listener.getsockname())
    witness.connected(client)
    witness.accepted(listener.accept()[0])
    datagrams.sendto(b"hello", server.getsockname())
    witness.sent(datagrams, server.getsockname())
    witness.received(server, server.recvfrom(_SIZE)[1])


def other_user(witness: Witness) -> None:
    """A child that has become another user."""
    listener = listening()

    def work() -> None:
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        connect(witness, listener.getsockname())

    child = fork(work)
    witness.accepted(listener.accept()[0])
    reap([child])


def gave_up_root(witness: Witness, call: str) -> None:
    """A daemon that binds as root, then becomes another user: really, or in effect only."""
    nobody = pwd.getpwnam("nobody").pw_uid
    listener, client, server, other = listening(), bound(), bound(), bound()
    client.sendto(b"as root", server.getsockname())
    witness.sent(client, server.getsockname())
    witness.received(server, server.recvfrom(_SIZE)[1])
    if call == "seteuid":
        os.seteuid(nobody)
    else:
        os.setresuid(nobody, nobody, nobody)
    witness.forget()
    client.sendto(b"as nobody", other.getsockname())
    witness.sent(client, other.getsockname())
    witness.received(other, other.recvfrom(_SIZE)[1])
    with connect(witness, listener.getsockname()):
        witness.accepted(listener.accept()[0])
    with bound() as fresh:
        fresh.sendto(b"as nobody", server.getsockname())
        witness.sent(fresh, server.getsockname())
        witness.received(server, server.recvfrom(_SIZE)[1])


def root_of_user_namespace(witness: Witness) -> None:
    """A process that is root in a user namespace: its user is that of the machine."""
    listener = listening()
    nobody = pwd.getpwnam("nobody").pw_uid
    (until, done), (until_mapped, mapped) = os.pipe(), os.pipe()

    def work() -> None:
        libc.unshare(libc.CLONE_NEWUSER)
        os.write(done, b"x")
        os.read(until_mapped, 1)
        os.setuid(0)
        connect(witness, listener.getsockname(), user_id=nobody, effective_user_id=nobody)

    child = fork(work)
    os.read(until, 1)
    Path(f"/proc/{child}/uid_map").write_text(f"0 {nobody} 1")
    os.write(mapped, b"x")
    witness.accepted(listener.accept()[0])
    reap([child])


def set_user_id(witness: Witness, binary: str, folder: str) -> None:
    """A program that runs as its file's owner, whoever starts it. Its child connects, and cannot tell."""
    nobody = pwd.getpwnam("nobody").pw_uid
    program = Path(folder, "program")
    shutil.copy2(binary, program)
    program.chmod(0o4755)
    _one_of_storm(witness, program, [str(program)], user=nobody, user_id=nobody, effective_user_id=0)


def in_chroot(witness: Witness, binary: str, folder: str) -> None:
    """A program below a root of its own: its path is that from the root of the mount namespace."""
    program = Path(folder, "program")
    shutil.copy2(binary, program)
    _one_of_storm(witness, program, ["/program"], preexec_fn=lambda: os.chroot(folder))


def _one_of_storm(witness: Witness, image: Path, command: list[str], **more: Any) -> None:
    options = {name: more.pop(name) for name in ("user", "preexec_fn") if name in more}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = subprocess.Popen([*command, "1", str(port)], **options)
        if program.wait():
            raise RuntimeError(f"{program.args!r} ended with {program.returncode}")
        accepted, sender = listener.accept()
        witness.accepted(accepted)
        line = " ".join([*command, "1", str(port)])
        who: Row = {"process_name": os.path.realpath(image), "process_command_line": line, "process_id": ...}
        who |= {"process_parent_id": program.pid, "start_ticks": ..., **more}
        witness.event("tcp", True, sender, listener.getsockname(), **who)


def double_fork(witness: Witness) -> None:
    """A daemon whose parent is gone when it becomes the program that connects: that is its parent all the same."""
    listener = listening()
    script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    told, tell = os.pipe()
    until, go_on = os.pipe()

    def middle() -> None:
        me = os.getpid()
        child = os.fork()
        if child:
            os.write(tell, f"{me} {child}".encode())
            return
        while os.getppid() == me:
            pass
        os.dup2(until, 0)
        os.execvp("bash", [*_BASH, script])

    reap([fork(middle)])
    gone, child = map(int, os.read(told, 100).decode().split())
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    who: Row = process(child)
    if who["process_parent_id"] == gone:
        raise RuntimeError(f"found {gone} as parent still")
    who |= {"process_parent_id": gone, "process_parent_name": process()["process_name"]}
    witness.event("tcp", True, sender, listener.getsockname(), **who)
    os.write(go_on, b"\n")


def exec_after_fork(witness: Witness) -> None:
    """A process that forks and becomes another program: to its child it is what it was when it forked."""
    listener = listening()
    until, go_on = os.pipe()

    def parent() -> None:
        python, me = process()["process_name"], os.getpid()

        def child() -> None:
            while process(me)["process_name"] == python:
                pass
            connect(witness, listener.getsockname(), process_parent_name=python, process_parent_id=me).close()
            os._exit(0)

        fork(child)
        os.dup2(until, 0)
        os.execvp("bash", [*_BASH, "read"])

    program = fork(parent)
    witness.accepted(listener.accept()[0])
    os.write(go_on, b"\n")
    reap([program])


def arguments_overwritten(witness: Witness) -> None:
    """A program that writes another command line over its own before it connects."""
    listener = listening()
    code = "import sys; from traffic import processes; processes.connect_as(int(sys.argv[1]))"
    port = str(listener.getsockname()[1])
    program = subprocess.Popen([sys.executable, "-c", code, port])
    accepted, _ = listener.accept()
    witness.accepted(accepted)
    reap_program(program)


def idle_while_another_executes(witness: Witness, binary: str, count: str) -> None:
    """A program that does nothing while another user executes many, and then connects with another command line."""
    listener = listening()
    code = "import sys; from traffic import processes; sys.stdin.read(); processes.connect_as(int(sys.argv[1]))"
    port = str(listener.getsockname()[1])
    program = subprocess.Popen([sys.executable, "-c", code, port], stdin=subprocess.PIPE)
    reap_program(subprocess.Popen([binary, count], user=pwd.getpwnam("nobody").pw_uid))
    assert program.stdin is not None
    program.stdin.close()
    accepted, _ = listener.accept()
    witness.accepted(accepted)
    reap_program(program)


def reap_program(program: subprocess.Popen[bytes]) -> None:
    """Wait for its end. Raises RuntimeError if it failed."""
    if program.wait():
        raise RuntimeError(f"{program.args!r} ended with {program.returncode}")


def connect_as(port: int) -> None:
    """For a program of its own: overwrite its arguments, connect to a port on loopback, and tell what they were."""
    witness = Witness()
    before = witness.me()["process_command_line"]
    start, end = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45:47])
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(b"/usr/sbin/sshd -D".ljust(end - start, b"\0"))
    if process()["process_command_line"] == before:
        raise RuntimeError("found the same command line")
    connect(witness, ("127.0.0.1", port)).close()


_CUT_BYTES = 4096


def image_far_down(witness: Witness, folder: str, name: str, depth: str) -> None:
    """An executable whose path is long: it is whole, or it says that it is not."""
    here = Path.cwd()
    os.chdir(folder)
    for _ in range(int(depth)):
        Path(name).mkdir()
        os.chdir(name)
    shutil.copy2(shutil.which("bash") or "/bin/bash", "bash-copy")
    listener = listening()
    script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    program = subprocess.Popen(["./bash-copy", "--norc", "-c", script], stdin=subprocess.PIPE)
    os.chdir(here)
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    path = "/".join([os.path.realpath(folder), *[name] * int(depth), "bash-copy"])
    kept: list[str] = []
    for part in reversed(path[1:].split("/")):
        if sum(len(part) + 1 for part in kept) > _CUT_BYTES:
            break
        kept.insert(0, part)
    whole = "/".join(["", *kept]) == path
    who: Row = {
        "process_id": program.pid,
        "process_name": ("" if whole else "\u2026") + "/".join(["", *kept]),
        "process_name_truncated": not whole,
        "process_command_line": f"./bash-copy --norc -c {script}",
        "process_parent_id": os.getpid(),
        "start_ticks": ...,
        **image(program.pid),
    }
    witness.event("tcp", True, sender, listener.getsockname(), **who)
    program.communicate(b"end\n")


def image_under_mounts(witness: Witness, folder: str, count: str, taken_away: str) -> None:
    """An executable below mounts on one another, in a mount namespace of its own: the file is told, beside its path."""
    libc.stack_mounts(folder, int(count))
    shutil.copy2(shutil.which("bash") or "/bin/bash", Path(folder, "ssh"))
    listener = listening()
    script = f"read; exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    program = subprocess.Popen([Path(folder, "ssh"), "--norc", "-c", script], stdin=subprocess.PIPE)
    assert program.stdin is not None
    while process(program.pid)["process_name"] != f"{folder}/ssh":
        pass
    who = process(program.pid)
    if taken_away == "True":
        libc.take_away(folder)
        who |= {"process_name": "\u2026/ssh", "process_name_truncated": True}
    program.stdin.write(b"go\n")
    program.stdin.flush()
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    witness.event("tcp", True, sender, listener.getsockname(), **who, **image(program.pid))
    program.communicate(b"end\n")


def image_on_no_mount(witness: Witness, folder: str) -> None:
    """An executable on a mount that is in no place, so that no path leads to it."""
    libc.stack_mounts(folder, 1)
    shutil.copy2(shutil.which("bash") or "/bin/bash", Path(folder, "ssh"))
    tree = libc.copy_mount(folder)
    listener = listening()
    script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    command = [f"/proc/self/fd/{tree}/ssh", "--norc", "-c", script]
    program = subprocess.Popen(command, pass_fds=[tree], stdin=subprocess.PIPE)
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    who = process(program.pid) | {"process_name": "\u2026/ssh", "process_name_truncated": True}
    witness.event("tcp", True, sender, listener.getsockname(), **who, **image(program.pid))
    program.communicate(b"end\n")


def image_in_memory(witness: Witness) -> None:
    """An executable that was never a file, called as a kernel thread."""
    listener = listening()
    script = f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}; read"
    descriptor = os.memfd_create("kworker/0:1", 0)
    os.write(descriptor, Path(shutil.which("bash") or "/bin/bash").read_bytes())
    program = subprocess.Popen(
        ["[kworker/0:1]", "--norc", "-c", script],
        executable=f"/proc/self/fd/{descriptor}",
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,
    )
    accepted, sender = listener.accept()
    witness.accepted(accepted)
    who = process(program.pid)
    if who["process_image_state"] != "memfd":
        raise RuntimeError(f"found {who['process_name']}")
    witness.event("tcp", True, sender, listener.getsockname(), **who, **image(program.pid))
    program.communicate(b"end\n")


def long_command_line(witness: Witness) -> None:
    """Arguments of more than 1,024 bytes, with spaces and letters outside ASCII."""
    listener = listening()
    code = "import sys; from traffic import processes; processes.connect_to(int(sys.argv[1]))"
    arguments = [str(listener.getsockname()[1]), "two words", "größe", *(f"argument-{n}" for n in range(300))]
    program = subprocess.Popen([sys.executable, "-c", code, *arguments])
    witness.accepted(listener.accept()[0])
    program.wait()


def connect_to(port: int) -> None:
    """For a program of its own: connect to a port on loopback, and tell."""
    connect(Witness(), ("127.0.0.1", port)).close()


def in_cgroup(witness: Witness, folder: str, path: str, container: str) -> None:
    """A child in a control group of its own."""
    listener = listening()

    def work() -> None:
        Path(folder, "cgroup.procs").write_text(str(os.getpid()))
        with connect(witness, listener.getsockname(), **_cgroup(path, container)):
            pass

    child = fork(work)
    witness.accepted(listener.accept()[0], **_cgroup(Path("/proc/self/cgroup").read_text().rpartition("0::")[2], None))
    reap([child])


def _cgroup(path: str, container: str | None) -> Row:
    return {"cgroup_path": path.strip(), "container_id": container}
