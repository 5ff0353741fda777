"""Run recordings, each in a process of its own, and make connections for them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

__all__ = ["COMMAND", "EXECUTABLE", "POLL", "VERB", "Recording", "Row", "Server", "ports"]

Row = dict[str, Any]

VERB = [sys.executable, "-c", "from procwire.cli import main; main()"]
COMMAND = [*VERB, "record"]
POLL = ("--sensor", "poll", "--interval", "50ms")
EXECUTABLE = Path(sys.executable).resolve()


class Recording:
    """Run a recorder with its own state."""

    def __init__(self, folder: Path, *arguments: str | Path, stdout: int | None = subprocess.PIPE) -> None:
        environment = os.environ | {"STATE_DIRECTORY": f"{folder}/state", "RUNTIME_DIRECTORY": f"{folder}/run"}
        self._errors = folder / "errors"
        self._log = self._errors.open("wb")
        sensor = () if "--sensor" in arguments else POLL
        command = [*COMMAND, *sensor, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=stdout, stderr=self._log, env=environment)
        self._folder = folder

    def wait_until_it_records(self) -> None:
        """Wait for its status file: from then on it records."""
        self.wait_for(lambda: bool(self.statuses()))

    def statuses(self) -> list[Row]:
        """Return the recorder's status file, or nothing while there is none."""
        found = [path.read_text() for path in self._folder.glob(f"run/recorder-{self.process.pid}.json")]
        return [json.loads(text) for text in found if text.endswith("\n")]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline_s, self.errors
            assert self.process.poll() in (None, 0), self.errors
            time.sleep(0.02)

    def end(self, number: int = signal.SIGINT) -> tuple[int, bytes]:
        """Signal it, and wait for its end; return the exit code and stdout."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, bytes]:
        stdout, _ = self.process.communicate(timeout=60)
        return self.process.returncode, stdout or b""

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Server:
    """Make connections to itself that stay open."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._socket = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1_024))
        self.mine = f"dst_port = {self._socket.getsockname()[1]}"
        """Distinguishes its connections from all others on the machine."""

    def __call__(self, count: int) -> list[int]:
        """Make this many connections; return their source ports."""
        address = self._socket.getsockname()
        clients = [self._stack.enter_context(socket.create_connection(address)) for _ in range(count)]
        for _ in range(count):
            self._stack.enter_context(self._socket.accept()[0])
        return [client.getsockname()[1] for client in clients]


def ports(lines: bytes | str, *, initiated: bool = True) -> list[int]:
    found = [json.loads(line) for line in lines.splitlines()]
    return [row["src_port"] for row in found if row["network_connection_initiated"] is initiated]
