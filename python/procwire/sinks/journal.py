"""Write Parquet files of a recording, which appear only when complete.

Parquet cannot be read before it is closed, nor appended to. So rows go to a journal beside the file, a hidden Arrow IPC
stream, readable up to its last message. From time to time a thread turns the journal into a Parquet file under the
file's name; the previous one is set aside. Journals that a killed process left are published at the next start: the
Parquet file names its journal, so none is published twice.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.errors import UsageError
from procwire.files import RECORDING_MODE, Place
from procwire.sinks.growing import ForeignFileError, Form, GrowingFile, last_message_end
from procwire.sinks.parquet import ParquetSink
from procwire.sinks.rotation import Rotation, set_aside, set_foreign_aside

__all__ = ["DEFAULT_BYTES", "DEFAULT_S", "ParquetParts", "message_form"]

DEFAULT_S = 300.0
"""How long rows wait in the journal before they can be queried."""
DEFAULT_BYTES = 512 << 20
"""How large a journal grows; the Parquet file is a tenth of it or less."""
_MADE_FROM = b"procwire.journal"


def message_form(schema: pa.Schema) -> Form:
    """Return the form of an Arrow IPC stream. The end mark is optional, and left out: more may come."""
    return Form(schema.serialize().to_pybytes(), b"", last_message_end)


class ParquetParts:
    """Take batches; the file at `place`, and those set aside from it, are complete Parquet files.

    `place` becomes its own. Raises UsageError if the folder cannot be written, or another process records to the same
    path.
    """

    def __init__(self, place: Place, schema: pa.Schema, rotation: Rotation) -> None:
        self._place = place
        self._form = message_form(schema)
        self._rotation = replace(
            rotation,
            bytes=rotation.bytes or DEFAULT_BYTES,
            seconds=rotation.seconds or DEFAULT_S,
        )
        self._worker = ThreadPoolExecutor(1, "procwire-parquet")
        self.error: str | None = None
        """Why rows were not published when it was time."""
        self._published: list[Future[None]] = []
        left = _left(place, "journal")
        for journal in left:
            self._mend(journal)
        for part in _left(place, "part"):
            place.remove(part)
        self._journal = self._begin()
        for journal in left:
            self._publish(journal)

    def append(self, batch: pa.RecordBatch) -> None:
        """Write a batch to the journal. Raises OSError if that fails; the journal is then as before."""
        message = batch.serialize()
        self.error = None
        if not self._journal.is_empty and self._rotation.too_large(self._journal.size + len(message)):
            try:
                self.rotate()
            except (OSError, UsageError) as error:
                self.error = f"cannot rotate {self._place.path}: {error}"
        self._journal.append(message)

    def tick(self) -> None:
        """Publish if it is time.

        Raises the OSError of a publishing that failed: its journal waits for the next start.
        """
        if self._rotation.too_old(self._journal.written_s) and not self._journal.is_empty:
            self.rotate()
        done = [future for future in self._published if future.done()]
        self._published = [future for future in self._published if not future.done()]
        for future in done:
            future.result()

    def rotate(self) -> None:
        """Publish the journal and begin another."""
        journal, self._journal = self._journal, self._begin()
        self._end(journal)

    def close(self) -> None:
        """Publish what is left, and wait for it."""
        self._end(self._journal)
        self._worker.shutdown()
        self._place.close()
        for future in self._published:
            future.result()

    def _begin(self) -> GrowingFile:
        return GrowingFile(self._place.beside(f".{self._place.name}.{secrets.token_hex(4)}.journal"), self._form)

    def _end(self, journal: GrowingFile) -> None:
        journal.close()
        journal.place.close()
        self._publish(journal.place.name)

    def _mend(self, journal: str) -> None:
        """Cut off what is torn; UsageError if its writer is alive."""
        with suppress(ForeignFileError), self._place.beside(journal) as place:
            GrowingFile(place, _any_form()).close()

    def _publish(self, journal: str) -> None:
        self._published.append(self._worker.submit(_publish, journal, self._place, self._rotation.keep))


def _left(place: Place, kind: str) -> list[str]:
    """Return the names of files that recorders left beside theirs, the oldest first; no one else's."""
    pattern = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]+\.{kind}")
    found = []
    for name in filter(pattern.fullmatch, place.names()):
        with place.beside(name) as other:
            there = other.stat()
            if there is not None and stat.S_ISREG(there.st_mode) and not other.is_planted(there):
                found.append((there.st_mtime_ns, name))
    return [name for _, name in sorted(found)]


def _any_form() -> Form:
    return Form(b"", b"", last_message_end)


def _publish(journal: str, place: Place, keep: int | None) -> None:
    name = journal.encode()
    there = place.stat()
    made_from = None if there is None else _made_from(place)
    if made_from == name:
        place.remove(journal)
        return
    part = f".{place.name}.{secrets.token_hex(8)}.part"
    try:
        rows = _convert(place, journal, part, name)
        if rows or (rows is not None and there is None):
            if made_from is not None:
                set_aside(place, keep)
            while not place.rename(part, place.name):
                set_foreign_aside(place)
    finally:
        place.remove(part)
    place.remove(journal)


def _made_from(place: Place) -> bytes | None:
    """Return the journal that a recording's file was made from; None for any other file."""
    try:
        with os.fdopen(place.open(os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return (pq.read_schema(file).metadata or {}).get(_MADE_FROM)
    except (OSError, pa.ArrowInvalid):
        return None


def _convert(place: Place, journal: str, part: str, name: bytes) -> int | None:
    """Turn the journal into a Parquet file; return its number of rows, None if not even its schema was written."""
    rows = 0
    with place.beside(journal) as old, place.beside(part) as new, os.fdopen(old.open(os.O_RDONLY), "rb") as source:
        if os.fstat(source.fileno()).st_size == 0:
            return None
        with os.fdopen(new.make(RECORDING_MODE), "wb") as target:
            batches = pa.ipc.open_stream(source)
            sink = ParquetSink(target, batches.schema.with_metadata({_MADE_FROM: name}))
            for batch in batches:
                sink.write(batch)
                rows += batch.num_rows
            sink.close()
            target.flush()
            os.fsync(target.fileno())
    return rows
