"""Write a recording: to files that rotate and are whole at every moment, pipes, the system's log."""

from __future__ import annotations

import io
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa

from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA, NAMES, fields
from procwire.files import Place, find
from procwire.sinks.datagrams import SYSTEM_LOG, SyslogSocket
from procwire.sinks.formats import FORMATS, Format, format_named
from procwire.sinks.growing import Bytes
from procwire.sinks.journal import ParquetParts, message_form
from procwire.sinks.kinds import ALERT_COLUMNS, JSON_COLUMNS, events
from procwire.sinks.lines import text_form
from procwire.sinks.protocol import Sink, Terminal
from procwire.sinks.rotating import RotatingFile
from procwire.sinks.rotation import Rotation

__all__ = ["WAYS", "RecordingOutput"]

# Columns that are mostly null in a recording.
_SPARSE = frozenset(kept.named(names) for kept in fields("live", "provenance", "rules") for names in NAMES).union(
    ALERT_COLUMNS
)

WAYS = {each.name: each for each in FORMATS if each.sink is not None}
"""The formats that a recording can write, by name."""
for _format in WAYS.values():
    # Now: the account that records may not be allowed to read modules later.
    _format.load()

# A message of Arrow's costs 8 KB, however few rows it holds.
_GATHER_S = 1.0
_GATHER_ROWS = 16_384


class _Target(Protocol):
    """Write batches; each call returns how many rows were lost in it."""

    @property
    def error(self) -> str | None: ...
    def write(self, batch: pa.RecordBatch) -> int: ...
    def tick(self) -> int: ...
    def close(self) -> int: ...


class RecordingOutput:
    """Write a recording to one sink, chosen by `format`, a name of WAYS, and by what `path` is.

    format: table, ndjson, csv, xml, syslog: text; arrow, parquet. `xml` and `syslog` need `event.LIVE_SCHEMA`. path:
    a file, which is appended to if it exists; a pipe or device; with `syslog` a Unix socket, too. Without one, rows go
    to `stream`, and with `syslog` and no stream to the system's log. schema: of the batches. rotate_bytes, rotate_s: a
    file is set aside when it would grow larger, and where this many seconds divide Unix time; None for never (Parquet:
    `journal.DEFAULT_BYTES`, `journal.DEFAULT_S`). keep: how many files set aside to keep, None for all. terminal: if
    `stream` is one.

    A file that cannot be written (a full disk) does not end the recording: its rows are counted as lost, `error` says
    why, and the next batch is tried again. A pipe whose reader has closed it raises BrokenPipeError.

    Raises UsageError, at the start only, for targets that cannot be written.
    """

    written: int
    """Rows handed over to the kernel; up to a second's rows of Arrow and Parquet are still pending."""
    skipped: int
    """Rows that the format has no event for: attempts, closes and others, with `xml` and `syslog`."""
    lost: int
    """Rows that could not be written."""

    def __init__(
        self,
        format: str,
        path: Path | None,
        schema: pa.Schema,
        *,
        rotate_bytes: int | None,
        rotate_s: float | None,
        keep: int | None,
        terminal: Terminal | None,
        stream: BinaryIO | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        found = format_named(format)
        if found.sysmon_events and schema != LIVE_SCHEMA:
            raise UsageError(f"found --names or --columns, expected neither with {format}, which holds whole events")
        self._events_only = found.sysmon_events
        self._target = _target(found, path, schema, Rotation(rotate_bytes, rotate_s, keep, now), terminal, stream)
        self.written = self.skipped = self.lost = 0

    @property
    def error(self) -> str | None:
        """Return the last error: rows were lost, or a file could not be rotated; None if all is well again."""
        return self._target.error

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of the schema."""
        rows = events(batch) if self._events_only else batch
        self.skipped += batch.num_rows - rows.num_rows
        self.written += rows.num_rows
        if rows.num_rows:
            self._count(self._target.write(rows))

    def tick(self) -> None:
        """Do what is due: rotate, publish. Call it several times a second."""
        self._count(self._target.tick())

    def close(self) -> None:
        """Write what must be at the end, and close."""
        self._count(self._target.close())

    def _count(self, lost: int) -> None:
        self.written -= lost
        self.lost += lost


def _opened(format: Format, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None) -> Sink:
    options = {"sparse": _SPARSE, "json": JSON_COLUMNS} if format.objects else {}
    return format.open(stream, schema, terminal, **options)


def _target(
    format: Format,
    path: Path | None,
    schema: pa.Schema,
    rotation: Rotation,
    terminal: Terminal | None,
    stream: BinaryIO | None,
) -> _Target:
    if path is None and stream is None:
        if format.name != "syslog":
            raise UsageError(f"found no output, expected a file or a stream for {format.name}")
        return SyslogSocket(SYSTEM_LOG)
    if path is None:
        assert stream is not None
        return _Stream(_opened(format, stream, schema, terminal), stream, closes=False)
    place = find(path)
    found = place.stat()
    if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
        return _file(format, place, schema, rotation)
    with place:
        if found is not None and stat.S_ISSOCK(found.st_mode):
            if format.name != "syslog":
                raise UsageError(f"found the socket {path}, expected a file or a pipe for {format.name}")
            return SyslogSocket(path.resolve())
        try:
            opened = os.fdopen(place.open(os.O_WRONLY), "wb")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
    width = shutil.get_terminal_size().columns
    return _Stream(_opened(format, opened, schema, Terminal(width) if opened.isatty() else None), opened, closes=True)


def _file(format: Format, place: Place, schema: pa.Schema, rotation: Rotation) -> _Target:
    if format.recorded == "parts":
        return _Gathered(ParquetParts(place, schema, rotation))
    if format.recorded == "messages":
        return _Gathered(_Messages(RotatingFile(place, message_form(schema), rotation)))
    if format.recorded == "text":
        return _Lines(format, schema, RotatingFile(place, text_form(format.name, schema.names), rotation))
    place.close()
    raise UsageError(f"found {format.name}, expected a format of which a recording can keep a file")


class _Gather(io.RawIOBase):
    """Hold what a sink writes until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[Bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(data)
        return len(data)

    def take(self) -> Bytes:
        """Return what was written since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(map(memoryview, pieces))


class _Stream:
    """Write a pipe, a device or a terminal, flushed batch by batch."""

    error: str | None = None

    def __init__(self, sink: Sink, stream: BinaryIO, *, closes: bool) -> None:
        self._sink = sink
        self._stream = stream
        self._closes = closes

    def write(self, batch: pa.RecordBatch) -> int:
        self._sink.write(batch)
        self._stream.flush()
        return 0

    def tick(self) -> int:
        return 0

    def close(self) -> int:
        try:
            self._sink.close()
            self._stream.flush()
        finally:
            if self._closes:
                self._stream.close()
        return 0


class _Lines:
    """Write a file of text."""

    def __init__(self, format: Format, schema: pa.Schema, file: RotatingFile) -> None:
        self._file = file
        self._gather = _Gather()
        self._sink = _opened(format, cast(BinaryIO, self._gather), schema, None)
        # The header is the file's.
        self._gather.take()
        self.error: str | None = None

    def write(self, batch: pa.RecordBatch) -> int:
        self._sink.write(batch)
        records = self._gather.take()
        failed = _error_of(self._file.append, records)
        self.error = failed or self._file.error
        return batch.num_rows if failed else 0

    def tick(self) -> int:
        self.error = _error_of(self._file.tick) or self.error
        return 0

    def close(self) -> int:
        self._file.close()
        return 0


class _Appender(Protocol):
    @property
    def error(self) -> str | None: ...
    def append(self, batch: pa.RecordBatch) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


class _Messages:
    """Write a file of Arrow's messages."""

    def __init__(self, file: RotatingFile) -> None:
        self._file = file
        self.tick, self.close = file.tick, file.close

    @property
    def error(self) -> str | None:
        return self._file.error

    def append(self, batch: pa.RecordBatch) -> None:
        self._file.append(batch.serialize())


class _Gathered:
    """Combine batches, for a second at most."""

    def __init__(self, appender: _Appender) -> None:
        self._appender = appender
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self._since_s = 0.0
        self.error: str | None = None

    def write(self, batch: pa.RecordBatch) -> int:
        if not self._pending:
            self._since_s = time.monotonic()
        self._pending.append(batch)
        self._rows += batch.num_rows
        return self._flush() if self._rows >= _GATHER_ROWS else self.tick()

    def tick(self) -> int:
        due = self._pending and time.monotonic() - self._since_s >= _GATHER_S
        lost = self._flush() if due else 0
        self.error = _error_of(self._appender.tick) or self.error
        return lost

    def close(self) -> int:
        lost = self._flush()
        self.error = _error_of(self._appender.close) or self.error
        return lost

    def _flush(self) -> int:
        if not self._pending:
            return 0
        [whole] = pa.Table.from_batches(self._pending).combine_chunks().to_batches()
        self._pending, self._rows = [], 0
        failed = _error_of(self._appender.append, whole)
        self.error = failed or self._appender.error
        return whole.num_rows if failed else 0


def _error_of(action: Callable[..., None], *arguments: Any) -> str | None:
    """Run the action; return its error, None without one."""
    try:
        action(*arguments)
    except OSError as error:
        return f"cannot write {error.filename or 'the file'}: {error.strerror}"
    except (UsageError, pa.ArrowException) as error:
        return str(error)
    return None
