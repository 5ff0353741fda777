"""A recorder that runs, and what it wrote so far."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from comparison import compare
from namespaces import Host, patience
from traffic.witness import Row

__all__ = ["Recording"]

_SO_COOKIE = 57
_START_S = 30 * patience
_ARRIVAL_S = 60 * patience
_MARK_S = 1
# After the last event that is due: for whatever is not due, but comes.
_QUIET_S = 0.15


Case = Callable[..., list[Row]]
"""Runs a traffic program, and asserts that exactly its events are recorded."""


class Recording:
    """`procwire record --all` with the eBPF sensor, writing NDJSON.

    options: beyond those that every test needs. held: what it writes is not read until
    `go_on`. config: rules to record by, instead of all. become: called in its process before it begins, to give rights
    up. python: the interpreter that runs it.
    """

    def __init__(
        self,
        *options: str,
        held: bool = False,
        config: Path | None = None,
        become: Callable[[], None] | None = None,
        python: Path = Path(sys.executable),
    ) -> None:
        # Who records without root opens the ledger itself, and pytest's folders are closed to others.
        self._folder = TemporaryDirectory()
        Path(self._folder.name).chmod(0o777)
        self._ledger_path = Path(self._folder.name, "ledger.json")
        self._arrived = threading.Condition()
        self._rows: list[Row] = []
        self._marks: set[int] = set()
        self.log: list[str] = []
        self._has_udp = "tcp" not in options
        code = "from procwire.cli import main; main()"
        what = ["--all"] if config is None else ["--config", str(config)]
        names = [] if "--dns-lookup" in options else ["--no-dns-lookup"]
        command = ["record", *what, "--sensor", "ebpf", "--to", "ndjson", *names]
        self.process = subprocess.Popen(
            [python, "-c", code, *command, "--ledger", str(self._ledger_path), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=become,
        )
        self._goes_on = threading.Event()
        if not held:
            self._goes_on.set()
        self._threads = [threading.Thread(target=read) for read in (self._read_rows, self._read_log)]
        for thread in self._threads:
            thread.start()
        with self._arrived:
            self._arrived.wait_for(lambda: self._attached() or self.process.poll() is not None, _START_S)
        if not self._attached():
            self.kill()
            raise RuntimeError(f"the recorder did not begin within {_START_S} s; it said: {''.join(self.log)}")

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def rows(self) -> Sequence[Row]:
        """What was written since the last comparison."""
        with self._arrived:
            return list(self._rows)

    @property
    def unseen_reader(self) -> str:
        """`attribution` of what a process reads without asking who sent it, without answer, without having waited.

        The socket's owner is named where the kernel takes no hook on reading.
        """
        return "caller" if any("fentry/skb_consume_udp" in hook for hook in self.hooks()) else "owner"

    def hooks(self) -> list[str]:
        """What is attached, as it says when it begins."""
        [line] = [line for line in self.log if "hooks: " in line]
        return line.partition("hooks: ")[2].partition(";")[0].split(", ")

    def of(self, hosts: Collection[Host] = (), processes: Collection[int] = ()) -> list[Row]:
        """Rows of any of these network namespaces, or any of these processes, since the last comparison."""
        namespaces = {host.id for host in hosts}
        return [
            row
            for row in self.rows
            if row.get("network_namespace_id") in namespaces or row.get("process_id") in processes
        ]

    def expect(self, truth: Sequence[Row], *hosts: Host, closes: bool = False) -> list[Row]:
        """Assert that exactly these events were recorded; those of the hosts and of the truth's processes.

        hosts: all that happens in them is due. closes: the truth has the ends of connections too; else they are only
        held to their connections. Returns the rows.
        """
        due = [row for row in truth if "network_protocol" in row]
        processes = {row.get("process", row)["process_id"] for row in truth if "process" in row or "process_id" in row}
        kinds = {"connection", "attempt", "existing"} | ({"close"} if closes else set())
        self._mark()
        deadline_s = time.monotonic() + _ARRIVAL_S
        while self._count(kinds, hosts, processes) < len(due) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        time.sleep(_QUIET_S)
        seen = self.of(hosts, processes)
        # The kernel soon reuses process ids, so rows are compared once only; and others may make many.
        with self._arrived:
            self._rows.clear()
        difference = compare(due, [row for row in seen if row["record_kind"] in kinds])
        assert not difference, difference
        _check_closes(seen)
        return seen

    def _count(self, kinds: Collection[str], hosts: Collection[Host], processes: Collection[int]) -> int:
        return sum(row["record_kind"] in kinds for row in self.of(hosts, processes))

    def wait_for_line(self, text: str) -> str:
        """The first line with this text that it says, or has said, on stderr."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: any(text in line for line in self.log), _ARRIVAL_S), self.log
            return next(line for line in self.log if text in line)

    def go_on(self) -> None:
        """Read what it writes, from now on."""
        self._goes_on.set()

    def peak_memory_kb(self) -> int:
        """The most memory that it had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    def wait_for_quiet(self) -> None:
        """Wait until what happened so far has been written."""
        self._mark()

    def end(self) -> tuple[int, dict[str, Any]]:
        """End it as a user does, by Ctrl-C; its exit code and its ledger."""
        self.process.send_signal(signal.SIGINT)
        return self.finish()

    def finish(self) -> tuple[int, dict[str, Any]]:
        """Wait for its end; its exit code and its ledger."""
        code = self.process.wait(_START_S)
        ledger = json.loads(self._ledger_path.read_text())
        self._join()
        return code, ledger

    def kill(self) -> None:
        """End it, if it has not ended."""
        self.process.kill()
        self.process.wait()
        self._goes_on.set()
        self._join()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def _read_rows(self) -> None:
        assert self.process.stdout is not None
        self._goes_on.wait()
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                # Cut off, for the recorder was killed.
                break
            row = json.loads(line)
            with self._arrived:
                self._rows.append(row)
                if row.get("process_id") == os.getpid():
                    self._marks.add(row["connection_id"])
                    self._arrived.notify_all()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._arrived:
                self.log.append(line.decode())
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.notify_all()

    def _attached(self) -> bool:
        return any("recording by ebpf" in line for line in self.log)

    def _mark(self) -> None:
        """Make an event and wait for it: what came before it has been handed over too."""
        marks: set[int] = set()
        deadline_s = time.monotonic() + _ARRIVAL_S
        # Again and again: where the kernel's buffer is full, a mark is lost too.
        while time.monotonic() < deadline_s:
            marks.add(_datagram() if self._has_udp else _connection())
            with self._arrived:
                if self._arrived.wait_for(lambda: not marks.isdisjoint(self._marks), _MARK_S):
                    return
        raise RuntimeError(f"no mark of this process was recorded within {_ARRIVAL_S} s; {''.join(self.log)}")


def _datagram() -> int:
    """Send one to oneself; the socket's cookie."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.sendto(b"mark", sock.getsockname())
        return _cookie(sock)


def _connection() -> int:
    """Connect to oneself; the connecting socket's cookie."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sock:
        return _cookie(sock)


def _cookie(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)


def _check_closes(seen: Sequence[Row]) -> None:
    """Each end of a connection is of one that was reported, by the same process; no more ends than connections."""
    same = ("connection_id", "process_guid", "src_ip", "src_port", "dst_ip", "dst_port", "network_connection_initiated")
    connections, closes = (
        Counter(tuple(row[column] for column in same) for row in seen if row["record_kind"] in kinds)
        for kinds in (("connection", "existing"), ("close",))
    )
    assert not closes - connections, closes - connections
