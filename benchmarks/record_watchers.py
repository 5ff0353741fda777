"""Who watches the load: procwire or bpftrace, each a process that writes a line per event to a file."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from process import procwire_command

_BPFTRACE_SCRIPT = Path(__file__).with_name("connections.bt")
_TRACEFS = Path("/sys/kernel/tracing")
# For bpftrace alone, where the machine has not mounted it.
_MOUNT_TRACEFS = ("unshare", "-m", "sh", "-c", f'mount -t tracefs nodev {_TRACEFS} && exec "$@"', "sh")
_PROBE_TIMEOUT_S = 120.0
_PROBE_EVERY_S = 0.2
_STOP_TIMEOUT_S = 30.0
_READ_BYTES = 1 << 22
_LOST = re.compile(r"Lost (\d+) events")


class Watcher:
    """A process that watches within a `with`; what it wrote can be asked for while its folder is there."""

    def __init__(self, argv: Sequence[str], folder: Path, line_of: bytes) -> None:
        self.file = folder / "events"
        self._argv = argv
        self._line_of = line_of
        self._told = folder / "told"

    def __enter__(self) -> Watcher:
        """Start it, and wait until a connection of ours is written."""
        with self._told.open("wb") as told:
            self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        self.pid = self._process.pid
        try:
            self.settle()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # Seen of bpftrace; what it wrote is counted all the same.
            print(f"{self._argv[0]} did not end within {_STOP_TIMEOUT_S:g} s, and was killed", file=sys.stderr)
        finally:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stop its user side; the kernel side goes on."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)

    def settle(self) -> None:
        """Wait until all that happened so far is written, as a connection of ours from each core tells."""
        position = self.file.stat().st_size if self.file.exists() else 0
        for core in sorted(os.sched_getaffinity(0)):
            self._wait_for_probe(core, position)

    def events_of(self, pids: Collection[int], behind: bytes = b"") -> int:
        """Lines about these processes that have `behind` somewhere behind the process."""
        line = re.compile(rb"(?:%s)[^\n]*?%s" % (b"|".join(self._line_of % pid for pid in pids), behind))
        with self.file.open("rb") as file:
            blocks = iter(lambda: file.read(_READ_BYTES) + file.readline(), b"")
            return sum(sum(1 for _ in line.finditer(block)) for block in blocks)

    def lost(self) -> int:
        """Events that it says it lost; to be asked when it has ended."""
        raise NotImplementedError

    def told(self) -> str:
        """What it said besides."""
        return self._told.read_text(errors="replace").strip()

    def _wait_for_probe(self, core: int, position: int) -> None:
        """Until a connection made on this core is written, somewhere behind the position."""
        end_s = time.monotonic() + _PROBE_TIMEOUT_S
        with socket.create_server(("127.0.0.1", 0)) as server:
            needles = [self._line_of % os.getpid(), str(server.getsockname()[1]).encode()]
            while not (found := self._finds(needles, position))[0]:
                position = found[1]
                if time.monotonic() > end_s or self._process.poll() is not None:
                    raise RuntimeError(f"found no event, expected one of our own connection: {self.told()}")
                _connect(server, core)
                time.sleep(_PROBE_EVERY_S)

    def _finds(self, needles: Sequence[bytes], position: int) -> tuple[bool, int]:
        """Whether a line behind the position has all of the needles; and where to look on."""
        if not self.file.exists():
            return False, position
        with self.file.open("rb") as file:
            file.seek(position)
            for block in iter(lambda: file.read(_READ_BYTES) + file.readline(), b""):
                if not block.endswith(b"\n"):
                    break
                position += len(block)
                if all(needle in block for needle in needles) and any(
                    all(needle in line for needle in needles) for line in block.splitlines()
                ):
                    return True, position
        return False, position


def _connect(server: socket.socket, core: int) -> None:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        with socket.create_connection(server.getsockname()):
            server.accept()[0].close()
    finally:
        os.sched_setaffinity(0, cores)


class Procwire(Watcher):
    """`procwire record --to ndjson`, all processes, into a file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._ledger = folder / "ledger"
        fixed = ["record", "--all", "--sensor", "ebpf", "--no-dns-lookup", "--to", "ndjson"]
        files = ["-o", str(folder / "events"), "--ledger", str(self._ledger)]
        super().__init__([*procwire_command(), *fixed, *files, *options], folder, b'"process_id":%d,')

    def lost(self) -> int:
        account = self._account()
        return sum([*account["lost"].values(), *(output["lost"] for output in account["outputs"])])

    def captured(self) -> int:
        """Events by its own account; to be asked when it has ended."""
        return sum(map(int, self._account()["captured"].values()))

    def _account(self) -> dict[str, Any]:
        account: dict[str, Any] = json.loads(self._ledger.read_text())
        return account


class Bpftrace(Watcher):
    """`bpftrace` with a script that prints a line per event, into a file."""

    def __init__(self, folder: Path) -> None:
        argv = ["bpftrace", "-o", str(folder / "events"), str(_BPFTRACE_SCRIPT)]
        super().__init__(argv if any(_TRACEFS.iterdir()) else [*_MOUNT_TRACEFS, *argv], folder, b" %d ")

    @staticmethod
    def version() -> str | None:
        """As it says itself; None where it is not installed."""
        if shutil.which("bpftrace") is None:
            return None
        return subprocess.run(["bpftrace", "--version"], check=True, capture_output=True, text=True).stdout.strip()

    def lost(self) -> int:
        return sum(int(count) for count in _LOST.findall(self.told() + self.file.read_text(errors="replace")))


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a watcher's files, where another account may write."""
    with tempfile.TemporaryDirectory(prefix="procwire-bench-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
