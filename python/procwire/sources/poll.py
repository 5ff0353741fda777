"""Poll for connections at intervals: for users who may not, or cannot, load eBPF.

Best effort, and labelled so. It misses what opens and closes between two polls (of TCP the end that closed first is
seen waiting, without its process), the peers of an unconnected UDP socket, and every other network namespace. Processes
are those that hold the sockets, where this account may see them.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from procwire.event import LIVE_SCHEMA
from procwire.sources.live import Hook
from procwire.sources.privileges import CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
from procwire.sources.processes import Process, holders, process
from procwire.sources.sock_diag import CONNECTED, LISTEN, TIME_WAIT, Socket, SocketTable

__all__ = ["PollSource"]

_ANCESTORS = 64
"""Of a process, at most. Ids may be given again while they are followed: they need not end."""
_V4_MAPPED = bytes(10) + b"\xff\xff"
_UNBOUND = bytes(16)
_ANY = (_UNBOUND, _V4_MAPPED + bytes(4))

Key = tuple[int, bytes, int]
Ends = tuple[bytes, int, bytes, int]
Row = dict[str, Any]


class PollSource:
    """Poll as a LiveSource that needs no privilege; with its `capabilities` it sees the processes of all users.

    interval_s: seconds between polls. existing: whether to return what is open at the first. udp: whether to include
    UDP. machine_id, boot_time_ns: as for `guid.linux_guid`. Raises OSError where the kernel does not list sockets.
    """

    name = "poll"
    capabilities = (CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE)

    def __init__(
        self, *, interval_s: float, existing: bool, machine_id: int, boot_time_ns: int, udp: bool = True
    ) -> None:
        self._interval_s = interval_s
        self._udp = udp
        self._machine_id = machine_id
        self._boot_time_ns = boot_time_ns
        self._namespace_id = _namespace_id()
        self._table = SocketTable()
        self._seen: set[Key] = set()
        self._seen_ends: set[Ends] = set()
        try:
            first = self._look("existing")
        except BaseException:
            self.close()
            raise
        self._pending = first if existing else None
        self._next_s = time.monotonic() + interval_s
        missing = None if self._table.has_mptcp else "this kernel does not list them"
        self.hooks = (Hook("sock_diag/tcp+udp", True, None), Hook("sock_diag/mptcp", self._table.has_mptcp, missing))

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        """Return what is new, if a poll is due within `timeout_s`; else None."""
        if self._pending is not None:
            batch, self._pending = self._pending, None
            return batch
        wait_s = max(self._next_s - time.monotonic(), 0.0)
        time.sleep(min(wait_s, timeout_s))
        if wait_s > timeout_s:
            return None
        self._next_s = time.monotonic() + self._interval_s
        return self._look("connection")

    def losses(self) -> Mapping[str, int]:
        """Return no losses: polling cannot see what it misses."""
        return {}

    def unattributed(self) -> Mapping[str, int]:
        """Return nothing: `poll` promises best effort only."""
        return {}

    def warnings(self) -> Mapping[str, int]:
        """Return no warnings."""
        return {}

    def close(self) -> None:
        """Close the netlink socket."""
        self._table.close()

    def _look(self, kind: str) -> pa.RecordBatch | None:
        sockets = list(self._table.sockets(udp=self._udp))
        listening = {_end(found) for found in sockets if _listens(found)}
        connections = {_key(found): found for found in sockets if _is_connection(found)}
        news = [found for key, found in connections.items() if key not in self._seen and not self._waits(found)]
        self._seen = set(connections)
        self._seen_ends = {_ends(found) for found in connections.values() if found.protocol == "tcp"}
        return self._batch(kind, news, listening) if news else None

    def _waits(self, found: Socket) -> bool:
        """Return whether the socket is only in TIME-WAIT: what an MPTCP connection leaves has a cookie of its own."""
        return found.state == TIME_WAIT and _ends(found) in self._seen_ends

    def _batch(self, kind: str, news: list[Socket], listening: set[tuple[str, bytes, int]]) -> pa.RecordBatch:
        now = datetime.now(UTC)
        held = holders({found.inode for found in news if found.inode})
        processes = {pid: self._process(pid) for pid in set(held.values())}
        ancestors: dict[int, Process | None] = {}
        rows = []
        for found in news:
            inbound = any((found.protocol, local, found.local_port) in listening for local in (found.local, *_ANY))
            row = {"event_creation_time": now, "record_kind": kind, "network_namespace_id": self._namespace_id}
            row |= _socket_part(found, inbound)
            owner = processes.get(held.get(found.inode, -1))
            row |= _process_part(owner, self._lineage(owner, ancestors)) if owner else {}
            rows.append(row)
        return pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)

    def _lineage(self, owner: Process, known: dict[int, Process | None]) -> list[Process]:
        """Return the ancestors of a process, the parent first; `known` caches them by their ids."""
        lineage: list[Process] = []
        parent_id = owner.parent_id
        while parent_id and len(lineage) < _ANCESTORS:
            if parent_id not in known:
                known[parent_id] = self._process(parent_id)
            parent = known[parent_id]
            if parent is None:
                break
            lineage.append(parent)
            parent_id = parent.parent_id
        return lineage

    def _process(self, process_id: int) -> Process | None:
        return process(process_id, self._machine_id, self._boot_time_ns) if process_id else None


def _namespace_id() -> int | None:
    with suppress(OSError):
        return Path("/proc/self/ns/net").stat().st_ino
    return None


def _key(found: Socket) -> Key:
    return found.cookie, found.remote, found.remote_port


def _ends(found: Socket) -> Ends:
    return found.local, found.local_port, found.remote, found.remote_port


def _end(found: Socket) -> tuple[str, bytes, int]:
    return found.protocol, found.local, found.local_port


def _is_connection(found: Socket) -> bool:
    return found.state in CONNECTED and found.remote_port != 0


def _listens(found: Socket) -> bool:
    """Return whether the socket listens. UDP has no such state: a bound, unconnected socket accepts from anyone."""
    return found.state == LISTEN if found.protocol == "tcp" else not _is_connection(found)


def _socket_part(found: Socket, inbound: bool) -> Row:
    local, remote = (found.local, found.local_port), (found.remote, found.remote_port)
    source, target = (remote, local) if inbound else (local, remote)
    return {
        "event_id": 3,
        "network_protocol": found.protocol,
        "network_connection_initiated": not inbound,
        "outcome": "established" if found.protocol == "tcp" else None,
        "connection_id": found.cookie,
        "attribution": "poll",
        # A connection in TIME-WAIT has no owner.
        "user_id": None if found.state == TIME_WAIT else found.user_id,
        **_endpoint("src", *source),
        **_endpoint("dst", *target),
    }


def _endpoint(end: str, address: bytes, port: int) -> Row:
    is_ipv6 = not address.startswith(_V4_MAPPED)
    text = socket.inet_ntop(socket.AF_INET6, address) if is_ipv6 else socket.inet_ntop(socket.AF_INET, address[12:])
    return {f"{end}_is_ipv6": is_ipv6, f"{end}_ip": text, f"{end}_port": port, f"{end}_ip_bytes": address}


def _ancestry(lineage: list[Process]) -> str | None:
    texts = [f"{process.process_id} {process.name}" if process.name else f"{process.process_id}" for process in lineage]
    return json.dumps(texts, ensure_ascii=False) if texts else None


def _process_part(owner: Process, lineage: list[Process]) -> Row:
    parent = lineage[0] if lineage else None
    part = {
        "process_guid": owner.guid,
        "process_id": owner.process_id,
        "process_name": owner.name,
        "process_command_line": owner.command_line,
        "process_parent_id": owner.parent_id or None,
        "process_parent_guid": parent.guid if parent else None,
        "process_parent_name": parent.name if parent else None,
        "cgroup_path": owner.cgroup_path,
        "effective_user_id": owner.effective_user_id,
        "process_image_device": owner.image.device,
        "process_image_inode": owner.image.inode,
        "process_mount_namespace_id": owner.mount_namespace_id,
        "process_image_state": owner.image.state,
        # The kernel gives a path in full, or refuses.
        "process_name_truncated": None if owner.name is None else False,
        "process_ancestry": _ancestry(lineage),
    }
    return part if owner.user_id is None else {**part, "user_id": owner.user_id}
