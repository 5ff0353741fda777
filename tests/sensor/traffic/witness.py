"""The ground truth: what a process knows of the traffic that it makes, in the columns of the event table.

It is taken from the sockets and /proc by the processes themselves, without anything of procwire.
"""

from __future__ import annotations

import json
import os
import socket
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

__all__ = ["Address", "Row", "Witness", "image", "plain", "process"]

Row = dict[str, Any]
Address = tuple[Any, ...]
"""As Python's sockets have it: IPv4 (ip, port), IPv6 (ip, port, flow, scope)."""

_COMMAND_BYTES = 1024
_DELETED = " (deleted)"


def process(process_id: int | None = None) -> Row:
    """What tells a process, by default this one."""
    folder = Path("/proc", str(process_id or os.getpid()))
    # The name may hold anything, so what follows its last bracket is split: field 3 on.
    stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    command = (folder / "cmdline").read_bytes()[:_COMMAND_BYTES].rstrip(b"\0").replace(b"\0", b" ")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text(errors="replace").splitlines())
    executable = str((folder / "exe").readlink())
    deleted, memfd = executable.endswith(_DELETED), executable.startswith("/memfd:")
    users = status["Uid"].split()
    return {
        "process_id": int(folder.name),
        "process_parent_id": int(stat[1]),
        "start_ticks": int(stat[19]),
        "process_name": executable.removesuffix(_DELETED),
        "process_name_truncated": False,
        "process_image_state": ("memfd" if memfd else "deleted") if deleted else None,
        "process_mount_namespace_id": (folder / "ns" / "mnt").stat().st_ino,
        "process_command_line": command.decode(errors="replace"),
        "user_id": int(users[0]),
        "effective_user_id": int(users[1]),
        "network_namespace_id": (folder / "ns" / "net").stat().st_ino,
    }


def plain(address: Address) -> tuple[str, int]:
    """Address and port as the events have them: no scope, IPv4 in IPv6's clothes as IPv4."""
    ip = ip_address(address[0].partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ip), address[1]


def image(process_id: int) -> Row:
    """Which file the process runs."""
    file = Path("/proc", str(process_id), "exe").stat()
    return {"process_image_device": file.st_dev, "process_image_inode": file.st_ino}


class Witness:
    """Writes a line of JSON for each event that is due; children and threads write to the same.

    A column that a row does not have is not compared.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._me: Row = {"process_id": 0}

    def me(self) -> Row:
        """The calling process; looked up once, so call it anew (`forget`) after what changes it."""
        if self._me["process_id"] != os.getpid():
            self._me = process()
        return self._me

    def forget(self) -> None:
        """Look anew: the process has got another user, namespace or the like."""
        self._me = {"process_id": 0}

    def tell(self, row: Row) -> None:
        """A row as it is. Short writes to a pipe are whole, whoever else writes."""
        os.write(self._descriptor, json.dumps(row).encode() + b"\n")

    def event(self, protocol: str, initiated: bool, source: Address, destination: Address, **more: Any) -> None:
        """An event of this process; `more` adds columns, or replaces them, or by an ellipsis takes them away."""
        source, destination = plain(source), plain(destination)
        row = {
            "record_kind": "connection",
            "network_protocol": protocol,
            "network_connection_initiated": initiated,
            "src_ip": source[0],
            "src_port": source[1],
            "src_is_ipv6": ":" in source[0],
            "dst_ip": destination[0],
            "dst_port": destination[1],
            "dst_is_ipv6": ":" in destination[0],
            "outcome": "established" if protocol == "tcp" else None,
            "error_number": None,
            "attribution": "caller",
            **self.me(),
        }
        self.tell({column: value for column, value in (row | more).items() if value is not ...})

    def connected(self, sock: socket.socket, **more: Any) -> None:
        """A TCP connection that this process made."""
        self.event("tcp", True, sock.getsockname(), sock.getpeername(), **more)

    def accepted(self, sock: socket.socket, **more: Any) -> None:
        """A TCP connection that this process accepted."""
        self.event("tcp", False, sock.getpeername(), sock.getsockname(), **more)

    def sent(self, sock: socket.socket, to: Address, source_ip: str | None = None, **more: Any) -> None:
        """The first datagram of a UDP flow, sent; source_ip: where the socket is bound to no address."""
        local = sock.getsockname()
        self.event("udp", True, (source_ip or local[0], local[1]), to, **more)

    def received(self, sock: socket.socket, sender: Address, destination_ip: str | None = None, **more: Any) -> None:
        """The first datagram of a UDP flow, received; destination_ip: where the socket is bound to no address."""
        local = sock.getsockname()
        self.event("udp", False, sender, (destination_ip or local[0], local[1]), **more)

    def attempted(self, outcome: str, number: int | None, source: Address | None, to: Address, **more: Any) -> None:
        """A TCP connection that did not come to be; without `source` the local end is not compared."""
        row = {"record_kind": "attempt", "outcome": outcome, "error_number": number, **more}
        if source is not None:
            self.event("tcp", True, source, to, **row)
            return
        ip, port = plain(to)
        end = {"dst_ip": ip, "dst_port": port, "dst_is_ipv6": ":" in ip}
        self.tell({"network_protocol": "tcp", "network_connection_initiated": True, **end, **self.me(), **row})
