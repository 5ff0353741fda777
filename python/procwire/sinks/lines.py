"""Write lines from the core: to files that rotate and stay whole, pipes, the system's log."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from procwire.errors import UsageError
from procwire.files import find
from procwire.sinks.forms import header
from procwire.sinks.growing import Bytes, Form, begun_with, last_line_end, not_ours
from procwire.sinks.logsocket import SYSTEM_LOG, LogSocket
from procwire.sinks.rotating import RotatingFile
from procwire.sinks.rotation import Rotation

__all__ = ["LineOutput", "line_output", "text_form"]

_SYSLOG_HEAD = re.compile(rb"[A-Z][a-z]{2} [ 1-3]\d ")
_SYSLOG_HEAD_BYTES = len(b"Nov  4 ")


class _Target(Protocol):
    @property
    def error(self) -> str | None: ...

    def write(self, lines: Bytes, count: int) -> int:
        """Write whole lines, so many; return how many were lost."""
        ...

    def tick(self) -> None: ...
    def close(self) -> None: ...


class LineOutput:
    """Write lines, and count them as `recording.RecordingOutput` counts rows."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self.written = self.skipped = self.lost = 0

    @property
    def has_hostname(self) -> bool:
        """Return whether lines of syslog name the machine: a socket's do not."""
        return not isinstance(self._target, _Datagrams)

    @property
    def error(self) -> str | None:
        """Return the last error; None if all is well again."""
        return self._target.error

    def write(self, lines: Bytes, written: int, skipped: int = 0) -> None:
        """Write whole lines; written, skipped: how many rows they are, and how many the format has no form for."""
        self.skipped += skipped
        lost = self._target.write(lines, written) if written else 0
        self.written += written - lost
        self.lost += lost

    def tick(self) -> None:
        """Do what is due: rotate. Call it several times a second."""
        self._target.tick()

    def close(self) -> None:
        """Write what must be at the end, and close."""
        self._target.close()


def line_output(
    format: str, path: Path | None, columns: Sequence[str], rotation: Rotation, stream: BinaryIO | None
) -> LineOutput:
    """Open an output of lines: `format` and `path` choose it as they do for `recording.RecordingOutput`.

    columns: their names. Raises UsageError for what cannot be written to.
    """
    if path is None:
        if stream is None:
            return LineOutput(_Datagrams(LogSocket(SYSTEM_LOG)))
        return LineOutput(_Stream(format, columns, stream, closes=False))
    place = find(path)
    found = place.stat()
    if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
        return LineOutput(_File(RotatingFile(place, text_form(format, columns), rotation)))
    with place:
        if found is not None and stat.S_ISSOCK(found.st_mode):
            if format != "syslog":
                raise UsageError(f"found the socket {path}, expected a file or a pipe for {format}")
            return LineOutput(_Datagrams(LogSocket(path.resolve())))
        try:
            opened = os.fdopen(place.open(os.O_WRONLY), "wb")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
    return LineOutput(_Stream(format, columns, opened, closes=True))


def text_form(format: str, columns: Sequence[str]) -> Form:
    """Return how the text files of a format begin and end, and what shows that one is ours."""
    start = header(format, columns).encode()
    if format == "xml":
        return Form(start, b"</Events>\n", last_line_end(b"</Event>\n", lambda _: True))
    if format in ("csv", "csv-safe"):
        return Form(start, b"", last_line_end(b"\r\n", lambda _: True))
    if format == "ndjson":
        first = f'{{"{columns[0]}":'.encode()

        def is_ours(head: bytes) -> bool:
            return head.startswith(first) or first.startswith(head)

        return Form(b"", b"", begun_with(is_ours, last_line_end(b"\n", is_ours)))
    if format == "syslog":
        return Form(b"", b"", last_line_end(b"\n", _is_syslog))
    # A table's lines have no mark.
    return Form(b"", b"", not_ours)


def _is_syslog(head: bytes) -> bool:
    return len(head) < _SYSLOG_HEAD_BYTES or _SYSLOG_HEAD.match(head) is not None


class _Stream:
    """Write a pipe or a device, flushed piece by piece."""

    error: str | None = None

    def __init__(self, format: str, columns: Sequence[str], stream: BinaryIO, *, closes: bool) -> None:
        self._stream = stream
        self._closes = closes
        self._end = b"</Events>\n" if format == "xml" else b""
        stream.write(header(format, columns).encode())

    def write(self, lines: Bytes, count: int) -> int:
        del count
        self._stream.write(lines)
        self._stream.flush()
        return 0

    def tick(self) -> None:
        pass

    def close(self) -> None:
        try:
            self._stream.write(self._end)
            self._stream.flush()
        finally:
            if self._closes:
                self._stream.close()


class _File:
    """Write a file of text."""

    def __init__(self, file: RotatingFile) -> None:
        self._file = file
        self.error: str | None = None

    def write(self, lines: Bytes, count: int) -> int:
        try:
            self._file.append(lines)
        except (OSError, UsageError) as error:
            self.error = _reason(error)
            return count
        self.error = self._file.error
        return 0

    def tick(self) -> None:
        try:
            self._file.tick()
        except (OSError, UsageError) as error:
            self.error = _reason(error)

    def close(self) -> None:
        self._file.close()


class _Datagrams:
    """Write a Unix socket that takes a datagram for each line."""

    def __init__(self, log: LogSocket) -> None:
        self._log = log

    @property
    def error(self) -> str | None:
        return self._log.error

    def write(self, lines: Bytes, count: int) -> int:
        return count - self._log.send(bytes(lines).split(b"\n")[:-1])

    def tick(self) -> None:
        pass

    def close(self) -> None:
        self._log.close()


def _reason(error: OSError | UsageError) -> str:
    if isinstance(error, OSError):
        return f"cannot write {error.filename or 'the file'}: {error.strerror}"
    return str(error)
