"""Send to a Unix socket that a syslog daemon listens on: a datagram per line, as syslog(3) sends them."""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["SYSTEM_LOG", "USER_INFO", "LogSocket"]

SYSTEM_LOG = Path("/dev/log")
USER_INFO = "<14>"
"""LOG_USER | LOG_INFO, as Sysmon for Linux logs."""
_WAIT_S = 0.2
_RETRY_S = 1.0


class LogSocket:
    """Send lines.

    If the socket is full, wait up to _WAIT_S once; then drop lines until a send succeeds. If it has disappeared,
    reconnect every _RETRY_S.

    Raises UsageError if there is no such socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._patient = True
        self._retry_at = 0.0
        self.error: str | None = None
        self._socket: socket.socket | None = None
        try:
            self._connect()
        except OSError as error:
            raise UsageError(f"cannot write to the system log {path}: {error.strerror}") from error

    def send(self, lines: list[bytes]) -> int:
        """Send the lines; return how many were sent, from the first on."""
        sent = 0
        while sent < len(lines):
            try:
                sent += self._send_some(lines[sent:])
            except BlockingIOError:
                if not self._wait():
                    break
            except OSError as error:
                # A restarted daemon listens at the same path.
                was_connected = self._socket is not None
                self._fail(error)
                if not was_connected:
                    break
        return sent

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    def _connect(self) -> None:
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            log.connect(str(self._path))
        except OSError:
            log.close()
            raise
        self._socket = log

    def _send_some(self, lines: list[bytes]) -> int:
        log = self._socket or self._reconnected()
        sent = 0
        for line in lines:
            try:
                log.send(line)
            except BlockingIOError:
                if sent == 0:
                    raise
                break
            sent += 1
        self._patient, self.error = True, None
        return sent

    def _reconnected(self) -> socket.socket:
        if time.monotonic() < self._retry_at:
            raise ConnectionRefusedError(0, self.error or "gone")
        self._retry_at = time.monotonic() + _RETRY_S
        self._connect()
        assert self._socket is not None
        return self._socket

    def _wait(self) -> bool:
        """Wait until the log accepts more; not at all if the last wait was in vain. Return whether it does."""
        if self._patient and self._socket is not None:
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            self._patient = bool(poll.poll(_WAIT_S * 1000))
        if not self._patient:
            self.error = f"the system log {self._path} takes no more"
        return self._patient

    def _fail(self, error: OSError) -> None:
        if self.error is None:
            self.error = f"cannot write to the system log {self._path}: {error.strerror}"
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
        self._socket = None
