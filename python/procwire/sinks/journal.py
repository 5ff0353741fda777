"""Parquet files of a recording, which appear whole.

Parquet cannot be read before it is closed, nor appended to. So rows go to a journal beside the file, an Arrow IPC
stream, hidden and readable up to its last message. From time to time the journal is made into a Parquet file, in a
thread, which takes the file's name; the one that had it is set aside. What journals a killed process left is
published at the next start: the Parquet file says which journal it was made from, so none is published twice.
"""

from __future__ import annotations

import os
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.errors import UsageError
from procwire.sinks.growing import ForeignFileError, Form, GrowingFile, last_message_end
from procwire.sinks.parquet import ParquetSink
from procwire.sinks.rotation import Rotation, set_aside

__all__ = ["DEFAULT_BYTES", "DEFAULT_S", "ParquetParts", "message_form"]

DEFAULT_S = 300.0
"""How long rows wait in the journal before they can be queried."""
DEFAULT_BYTES = 512 << 20
"""How large a journal grows; the Parquet file is a tenth of it or less."""
_MADE_FROM = b"procwire.journal"


def message_form(schema: pa.Schema) -> Form:
    """An Arrow IPC stream. The end mark is optional, and left out: more may come."""
    return Form(schema.serialize().to_pybytes(), b"", last_message_end)


class ParquetParts:
    """Takes batches; `path` and the files set aside from it are whole Parquet files.

    Raises UsageError if the folder cannot be written, or another process records to the same path.
    """

    def __init__(self, path: Path, schema: pa.Schema, rotation: Rotation) -> None:
        self._path = path
        self._form = message_form(schema)
        self._rotation = replace(
            rotation,
            bytes=rotation.bytes or DEFAULT_BYTES,
            seconds=rotation.seconds or DEFAULT_S,
        )
        self._worker = ThreadPoolExecutor(1, "procwire-parquet")
        self.trouble: str | None = None
        """Why rows were not published when it was time."""
        self._published: list[Future[None]] = []
        left = sorted(path.parent.glob(f".{path.name}.*.journal"), key=lambda journal: journal.stat().st_mtime_ns)
        for journal in left:
            self._mend(journal)
        for part in path.parent.glob(f".{path.name}.*.part"):
            part.unlink(missing_ok=True)
        self._journal = self._begin()
        for journal in left:
            self._publish(journal)

    def append(self, batch: pa.RecordBatch) -> None:
        """Write a batch to the journal; OSError if that fails, the journal is then as before."""
        message = batch.serialize()
        self.trouble = None
        if not self._journal.is_empty and self._rotation.too_large(self._journal.size + len(message)):
            try:
                self.rotate()
            except (OSError, UsageError) as error:
                self.trouble = f"cannot rotate {self._path}: {error}"
        self._journal.append(message)

    def tick(self) -> None:
        """Publish if it is time. Raises OSError of a publishing that failed: its journal waits for the next start."""
        if self._rotation.too_old(self._journal.written_s) and not self._journal.is_empty:
            self.rotate()
        done = [future for future in self._published if future.done()]
        self._published = [future for future in self._published if not future.done()]
        for future in done:
            future.result()

    def rotate(self) -> None:
        """Publish the journal and begin another."""
        journal, self._journal = self._journal, self._begin()
        journal.close()
        self._publish(journal.path)

    def close(self) -> None:
        """Publish what there is, and wait for it."""
        self._journal.close()
        self._publish(self._journal.path)
        self._worker.shutdown()
        for future in self._published:
            future.result()

    def _begin(self) -> GrowingFile:
        return GrowingFile(self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}.journal"), self._form)

    def _mend(self, journal: Path) -> None:
        """Cut off what is torn; UsageError if its writer is alive."""
        with suppress(ForeignFileError):
            GrowingFile(journal, _any_form()).close()

    def _publish(self, journal: Path) -> None:
        self._published.append(self._worker.submit(_publish, journal, self._path, self._rotation.keep))


def _any_form() -> Form:
    return Form(b"", b"", last_message_end)


def _publish(journal: Path, path: Path, keep: int | None) -> None:
    name = journal.name.encode()
    if path.exists() and _made_from(path) == name:
        journal.unlink()
        return
    part = journal.with_suffix(".part")
    rows = _convert(journal, part, name)
    if rows or (rows is not None and not path.exists()):
        if path.exists():
            set_aside(path, keep)
        part.rename(path)
    part.unlink(missing_ok=True)
    journal.unlink()


def _made_from(path: Path) -> bytes | None:
    try:
        return (pq.read_schema(path).metadata or {}).get(_MADE_FROM)
    except pa.ArrowInvalid:
        return None


def _convert(journal: Path, part: Path, name: bytes) -> int | None:
    """Make the journal into a Parquet file; the number of its rows, None if not even its schema was written."""
    if journal.stat().st_size == 0:
        return None
    rows = 0
    with journal.open("rb") as source, part.open("wb") as target:
        batches = pa.ipc.open_stream(source)
        sink = ParquetSink(target, batches.schema.with_metadata({_MADE_FROM: name}))
        for batch in batches:
            sink.write(batch)
            rows += batch.num_rows
        sink.close()
        target.flush()
        os.fsync(target.fileno())
    return rows
