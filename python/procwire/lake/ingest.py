"""Logs into the lake: each once, whatever it is called and however often its reading was begun.

A log is known by the SHA-256 of its bytes as the reader gets them. Its rows are appended in parts; with each part the
table notes, in the same commit, how many of the log's rows are in. What was killed so goes on where it ended. An input
that cannot be read twice (standard input, members of archives) is unpacked to a temporary file first.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.errors import LakeError
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading
from procwire.lake.schema import widened
from procwire.ledger import Ledger
from procwire.sources import read_batches
from procwire.sources.inputs import STDIN, UNPACK_ERRORS, Input

__all__ = ["Ingest", "Step"]

Step = Callable[[pa.RecordBatch], pa.RecordBatch]
"""What is kept of a batch of `event.SCHEMA`."""

_APPEND_ROWS = 128 << 10
_PIECE_BYTES = 1 << 20
_PART = "part"
_TRIES = 1_000


@dataclass(slots=True)
class _Log:
    """A log that is being read."""

    reading: Reading
    seen: int = 0
    """Rows that the reader gave so far."""


@dataclass(slots=True)
class _Part:
    """Rows of a log, one after the other."""

    log: _Log
    start: int
    rows: pa.RecordBatch
    kept: tuple[int, pa.RecordBatch] | None = None

    @property
    def end(self) -> int:
        """Number of the row behind the last."""
        return self.start + len(self.rows)

    def after(self, done: int, step: Step) -> pa.RecordBatch:
        """What is kept of the rows from number `done` of the log on."""
        skipped = min(max(done - self.start, 0), self.rows.num_rows)
        if self.kept is None or self.kept[0] != skipped:
            rest = self.rows.slice(skipped)
            self.kept = skipped, step(rest) if rest.num_rows else rest
        return self.kept[1]


class Ingest:
    """Reads logs into a lake; `logs`, once it has run, says what became of each.

    step: what is kept of a batch. selection: what `step` and the reader were told, as a text: a log that was read with
    another selection is read again, and only what is not there yet is added.
    """

    def __init__(self, lake: Lake, *, step: Step = lambda batch: batch, selection: str = "") -> None:
        self._lake = lake
        self._step = step
        self._suffix = f":{hashlib.sha256(selection.encode()).hexdigest()[:16]}" if selection else ""
        self._logs: dict[str, _Log] = {}
        self._pending: list[_Part] = []
        self._rows = 0
        self._known = {reading.source for reading in lake.readings.all()}
        self.already: list[str] = []
        """Names of logs that the lake has: they were not read again."""

    @property
    def logs(self) -> list[Reading]:
        """An entry for each log that was read."""
        return [log.reading for log in self._logs.values()]

    def run(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        format: str | None = None,
        recover: bool = False,
        follow: bool = False,
        ledger: Ledger,
        on_progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        """Read logs to their end; `ledger` is filled as by `sources.read_batches`.

        follow: wait for more as they grow, and add each event that comes; it does not end by itself.

        Raises LakeError if the lake cannot be written. What is in the lake by then stays.
        """
        batches = read_batches(
            paths,
            format=format,
            recover=recover,
            follow=follow,
            ledger=ledger,
            on_progress=on_progress,
            through=self._identified,
        )
        # One part is appended while the next is read.
        with ThreadPoolExecutor(1) as writer:
            last: Future[None] | None = None
            for batch in batches:
                self._take(batch)
                if follow or self._rows >= _APPEND_ROWS:
                    last = self._hand_over(writer, last)
            self._hand_over(writer, last).result()
        self._account(ledger)

    def _identified(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """The inputs that the lake does not have, each under a name of its own."""
        for entry in inputs:
            if isinstance(entry.source, Exception):
                yield entry
                continue
            if isinstance(entry.source, str):
                yield from self._new(entry, _digest(entry.source))
                continue
            with tempfile.NamedTemporaryFile(prefix="procwire-") as file:
                digest, error = _copy(entry.source, cast("BinaryIO", file))
                # The reader is done with it when it asks for the next.
                if error is None:
                    yield from self._new(replace(entry, source=file.name, live=False), digest)
                else:
                    with _UpToError(file.name, error) as cut:
                        yield from self._new(replace(entry, source=cast("BinaryIO", cut), live=False), digest)

    def _new(self, entry: Input, digest: str | Exception) -> Iterator[Input]:
        if isinstance(digest, Exception):
            yield replace(entry, source=digest)
            return
        source = f"log:{digest}{self._suffix}"
        if source in self._known:
            self.already.append(entry.name)
            return
        self._known.add(source)
        name = entry.name
        while name in self._logs:
            name += "'"
        self._logs[name] = _Log(Reading("log", source, name))
        yield replace(entry, name=name)

    def _take(self, batch: pa.RecordBatch) -> None:
        """A batch may hold the end of one log and the beginning of others."""
        runs = pc.run_end_encode(batch["source_file"])
        start = 0
        for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            name = name or STDIN
            # Followed logs have no identity yet: they grow.
            log = self._logs.setdefault(name, _Log(Reading("log", f"follow:{secrets.token_hex(16)}", name)))
            self._pending.append(_Part(log, log.seen, batch.slice(start, end - start)))
            log.seen += end - start
            start = end
        self._rows += batch.num_rows

    def _hand_over(self, writer: Executor, last: Future[None] | None) -> Future[None]:
        """Have what is pending appended, once what was handed over before it is."""
        if last is not None:
            last.result()
        parts, self._pending, self._rows = self._pending, [], 0
        return writer.submit(self._append, parts)

    def _append(self, pending: Sequence[_Part]) -> None:
        """Append rows, and count them."""
        for _ in range(_TRIES):
            if not pending or self._appended(pending):
                return
        raise LakeError(f"{self._lake.location}: other readers came first all the time")

    def _appended(self, pending: Sequence[_Part]) -> bool:
        """Whether rows are in the lake now; if another reader came first, they have to be looked at anew."""
        table = self._lake.table
        table.reload()
        parts = [(part, table.transaction_version(part.log.reading.source) or 0) for part in pending]
        kept = [part.after(done, self._step) for part, done in parts]
        number = pa.chunked_array([pa.repeat(pa.scalar(index), rows.num_rows) for index, rows in enumerate(kept)])
        rows = widened(pa.Table.from_batches(kept)).append_column(_PART, number)
        # Of a log that another reader, or an earlier one, brought further, the position stays.
        ends = {part.log.reading.source: max(part.end, done) for part, done in parts}
        added = self._lake.append_logs(rows, ends)
        if added is None:
            return False
        counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(added[_PART]).to_pylist()}
        for index, (part, done) in enumerate(parts):
            reading, before = part.log.reading, min(max(done - part.start, 0), part.rows.num_rows)
            reading.added += counts.get(index, 0)
            reading.duplicates += kept[index].num_rows - counts.get(index, 0)
            reading.left_out += part.rows.num_rows - before - kept[index].num_rows
        return True

    def _account(self, ledger: Ledger) -> None:
        for file in ledger.files:
            if log := self._logs.get(file.name):
                log.reading.take(file)
        self._lake.readings.add(log.reading for log in self._logs.values())


def _digest(path: str) -> str | Exception:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return OSError(error.strerror) if error.strerror else error


def _copy(source: BinaryIO, file: BinaryIO) -> tuple[str, Exception | None]:
    """Copy to a file; the digest, and what went wrong in unpacking the rest."""
    digest, error = hashlib.sha256(), None
    try:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
    except UNPACK_ERRORS as found:
        error = found
    file.flush()
    return digest.hexdigest(), error


class _UpToError(io.FileIO):
    """A file that ends in the error that unpacking it ended in."""

    def __init__(self, path: str, error: Exception) -> None:
        super().__init__(path)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(-1 if size is None else size)
        if not piece:
            raise self._error
        return piece
