"""Write to the system's syslog: a datagram per event, as syslog(3) sends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from procwire.sinks.cells import chunks
from procwire.sinks.kinds import loss_runs
from procwire.sinks.logsocket import SYSTEM_LOG, USER_INFO, LogSocket
from procwire.sinks.syslog import event_lines, syslog_time

__all__ = ["SYSTEM_LOG", "SyslogSocket"]


class SyslogSocket:
    """Send a datagram per row to a Unix socket, see `LogSocket`; rows that it does not accept are lost.

    Raises UsageError if there is no such socket.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        self._log = LogSocket(path)
        self._now = now

    @property
    def error(self) -> str | None:
        """Return why rows are lost; None if they are not."""
        return self._log.error

    def write(self, batch: pa.RecordBatch) -> int:
        """Send each row; return how many were lost."""
        start = f"{USER_INFO}{syslog_time(self._now())} "
        lost = 0
        for chunk in chunks(batch):
            for is_loss, run in loss_runs(chunk):
                lines = bytes(event_lines(run, is_loss, start, hostname=False)).split(b"\n")[:-1]
                lost += len(lines) - self._log.send(lines)
        return lost

    def tick(self) -> int:
        """Do nothing, and return 0: no rows are pending."""
        return 0

    def close(self) -> int:
        """Close the socket, and return 0."""
        self._log.close()
        return 0
