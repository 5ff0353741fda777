"""Reading of logs into the lake, each event into its table: each once, whatever the log's name, however many attempts.

A log is identified by the BLAKE3 of its bytes as the reader gets them. Its rows are appended in parts; the commit of
each part also records how many of the log's rows are stored, so a killed run continues where it ended. An input that
cannot be read twice (standard input, members of archives) is unpacked to a temporary file first. A file with a size
that no known log has must be new: it is read at once, while its digest is computed in another thread.

The tables are written in turn. Each records for itself how many rows of a log it has, so a kill between two of them is
like any other.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from procwire.errors import LakeError
from procwire.event import EVENTS, Event
from procwire.lake.digests import UpToError, copied, digest_of
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading
from procwire.ledger import Ledger
from procwire.retry import attempts
from procwire.sources import read_events
from procwire.sources.inputs import STDIN, Input, TableError
from procwire.sources.limits import UnpackLimits
from procwire.sources.table_rows import log_rows
from procwire.sources.tables import open_table

__all__ = ["Ingest", "Step", "selection_text"]

Batches = Generator[tuple[Event, pa.RecordBatch], None, None]
Step = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Returns the rows to keep of a batch of `event.SCHEMA`."""

_APPEND_ROWS = 256 << 10
# Interval between two commits of logs that are followed.
_FOLLOW_S = 1.0
_PART = "part"
_TRIES = 1_000


def selection_text(
    where: str, configuration: str, format: str | None, *, recover: bool, lenient: bool, strict: bool
) -> str:
    """Return a text that identifies which rows of a log are selected; empty if all are.

    It is part of a log's identity in the lake, so it must be the same for the same options in all versions. where: the
    predicate. configuration: the text of Sysmon's configuration. lenient, strict: how the configuration is read.
    """
    chosen = [where, configuration, format or "", "recover" if recover else ""]
    chosen += ["lenient"] * lenient + ["strict"] * strict
    return "\0".join(chosen) if any(chosen) else ""


@dataclass(slots=True)
class _Log:
    """Track a log that is being read."""

    reading: Reading
    digest: Future[str] | None = None
    """The digest, computed while the log is read: until it is done, `reading` has no `source`."""
    seen: Counter[str] = field(default_factory=Counter)
    """Number of rows read so far, by table."""


@dataclass(slots=True)
class _Part:
    """Hold consecutive rows of a log for one table."""

    table: str
    log: _Log
    start: int
    rows: pa.RecordBatch
    kept: tuple[int, pa.RecordBatch] | None = None

    @property
    def end(self) -> int:
        """Return the number of the row after the last."""
        return self.start + len(self.rows)

    def after(self, done: int, step: Step) -> pa.RecordBatch:
        """Return the rows that `step` keeps of those from number `done` of the log on."""
        skipped = min(max(done - self.start, 0), self.rows.num_rows)
        if self.kept is None or self.kept[0] != skipped:
            rest = self.rows.slice(skipped)
            self.kept = skipped, step(rest) if rest.num_rows else rest
        return self.kept[1]


class Ingest:
    """Read logs into a lake; after `run`, `logs` says what happened to the connections of each log.

    step: returns the rows to keep of a batch of connections; all rows of other tables are kept. selection: the options
    of `step` and of the reader, as a text (`selection_text`): a log that was read with another selection is read
    again, and only new events are added. Not safe for use by several threads.
    """

    def __init__(self, lake: Lake, *, step: Step | None = None, selection: str = "") -> None:
        self._lake = lake
        self._step = step or _whole
        # Dictionaries are cheaper to read, hold and write; but a step needs columns of the types in `event.SCHEMA`.
        self._coded = step is None
        self._suffix = f":{hashlib.sha256(selection.encode()).hexdigest()[:16]}" if selection else ""
        self._logs: dict[str, _Log] = {}
        self._pending: list[_Part] = []
        self._rows = 0
        self._lock = Lock()
        self._due_s = 0.0
        self.error: str | None = None
        """Why the lake's ledger cannot be read or written; the rows are stored nonetheless. None if it can."""
        try:
            readings = lake.readings.all()
        except LakeError as error:
            # Then each log is read again; the tables know how many of its rows they have.
            readings, self.error = [], str(error)
        self._known = {reading.source for reading in readings}
        self._sizes = {reading.bytes for reading in readings}
        self._unidentified: list[_Log] = []
        self._tables: list[tuple[Input, str]] = []
        """Parquet and Arrow files, which are read after the logs."""
        self._digests = ThreadPoolExecutor(1)
        self._stopped = Flag()
        self.already: list[str] = []
        """Names of logs that the lake already has, which were not read again."""
        self.added: Counter[str] = Counter()
        """Number of rows added to the lake, by table."""

    @property
    def logs(self) -> list[Reading]:
        """Return a ledger entry for each log that was read."""
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
        unpack: UnpackLimits | None = None,
    ) -> None:
        """Read logs to their end; fill `ledger` as `sources.read_events` does.

        follow: wait for the logs to grow, and add new events; it does not end by itself. unpack: limits for packed
        files.

        Raises LakeError if the lake cannot be written. What is in the lake by then stays.
        """
        batches = read_events(
            paths,
            format=format,
            recover=recover,
            follow=follow,
            ledger=ledger,
            coded=self._coded,
            on_progress=on_progress,
            through=self._identified,
            unpack=unpack,
        )
        batches = self._with_tables(batches, ledger)
        add = self._follow if follow else self._add
        with self._digests:
            try:
                self._in_writer(add, batches)
            except KeyboardInterrupt:
                # That is how following ends.
                if follow:
                    self._account(ledger)
                raise
            self._account(ledger)

    def _in_writer(self, add: Callable[[Batches, Executor], None], batches: Batches) -> None:
        """Append each part in another thread while the next is read; return when all of them are appended."""
        with ThreadPoolExecutor(1) as writer, closing(batches):
            try:
                add(batches, writer)
            except BaseException:
                self._stopped.set()
                raise

    def _add(self, batches: Batches, writer: Executor) -> None:
        last: Future[None] | None = None
        for event, batch in batches:
            self._take(event.table, batch)
            if self._rows >= _APPEND_ROWS:
                if last is not None:
                    last.result()
                last = writer.submit(self._append, self._taken())
        if last is not None:
            last.result()
        self._append(self._taken())

    def _follow(self, batches: Batches, writer: Executor) -> None:
        last: Future[None] | None = None
        for event, batch in batches:
            self._take(event.table, batch)
            if last is not None and (last.done() or self._rows >= _APPEND_ROWS):
                last.result()
            last = writer.submit(self._append_soon)
        writer.submit(self._append_soon).result()

    def _append_soon(self) -> None:
        """Wait until the next commit is due, then append what is pending; later rows get a call of their own."""
        if not self._pending:
            return
        self._stopped.wait(self._due_s - time.monotonic())
        self._append(self._taken())
        self._due_s = time.monotonic() + _FOLLOW_S

    def _identified(self, inputs: Iterator[Input]) -> Iterator[Input]:
        """Yield the inputs that the lake does not have, each with a unique name."""
        for entry in inputs:
            if isinstance(entry.source, TableError):
                self._tables.append((entry, entry.source.path))
            elif isinstance(entry.source, Exception):
                yield entry
            elif isinstance(entry.source, str):
                yield from self._file(entry, entry.source)
            else:
                yield from self._copy(entry, entry.source)

    def _with_tables(self, batches: Batches, ledger: Ledger) -> Batches:
        with closing(batches):
            yield from batches
        for entry, path in self._tables:
            table, account = open_table(path, named=entry.named)
            try:
                digest = digest_of(path, self._stopped)
            except OSError as error:
                table, account.error = None, str(error)
            if table is None:
                ledger.files.append(account)
                continue
            for new in self._new(entry, digest):
                account.name = new.name
                ledger.files.append(account)
                for batch in log_rows(table, new.name, live=self._coded):
                    yield table.event, batch

    def _file(self, entry: Input, path: str) -> Iterator[Input]:
        digest = self._digests.submit(digest_of, path, self._stopped)
        if (size := _size(path)) is not None and size not in self._sizes:
            self._sizes.add(size)
            log = _Log(Reading("log", "", entry.name), digest)
            self._unidentified.append(log)
            yield self._begun(entry, log)
            return
        try:
            yield from self._new(entry, digest.result())
        except OSError as error:
            yield replace(entry, source=error)

    def _copy(self, entry: Input, source: BinaryIO) -> Iterator[Input]:
        # The file has no name: nothing remains of it, however this ends.
        with tempfile.TemporaryFile(prefix="procwire-") as file:
            digest, error = copied(source, cast("BinaryIO", file))
            self._sizes.add(file.tell())
            # The reader is done with it when it requests the next input.
            copy = cast("BinaryIO", UpToError(cast("BinaryIO", file), error))
            yield from self._new(replace(entry, source=copy, live=False), digest)

    def _new(self, entry: Input, digest: str) -> Iterator[Input]:
        while self._unidentified:
            with suppress(LakeError):
                self._identify(self._unidentified.pop())
        source = f"log:{digest}{self._suffix}"
        if source in self._known:
            self.already.append(entry.name)
            return
        self._known.add(source)
        yield self._begun(entry, _Log(Reading("log", source, entry.name)))

    def _begun(self, entry: Input, log: _Log) -> Input:
        while log.reading.name in self._logs:
            log.reading.name += "'"
        self._logs[log.reading.name] = log
        return replace(entry, name=log.reading.name)

    def _identify(self, log: _Log) -> None:
        """Set the log's identity, once its digest is known."""
        if log.digest is None or log.reading.source:
            return
        try:
            source = f"log:{log.digest.result()}{self._suffix}"
        except OSError as error:
            raise LakeError(f"{log.reading.name}: cannot compute its digest: {error}") from error
        self._known.add(source)
        log.reading.source = source

    def _take(self, table: str, batch: pa.RecordBatch) -> None:
        """Add a batch to what is pending; it may hold the end of one log and the beginning of others."""
        start = 0
        for name, end in _runs(batch["source_file"]):
            # Followed logs have no digest yet: they grow.
            log = self._logs.setdefault(name, _Log(Reading("log", f"follow:{secrets.token_hex(16)}", name)))
            with self._lock:
                self._pending.append(_Part(table, log, log.seen[table], batch.slice(start, end - start)))
                self._rows += end - start
            log.seen[table] += end - start
            start = end

    def _taken(self) -> list[_Part]:
        """Take and clear the pending parts."""
        with self._lock:
            parts, self._pending, self._rows = self._pending, [], 0
        return parts

    def _append(self, pending: Sequence[_Part]) -> None:
        """Append rows and count them; connections last, so that their context is already there."""
        for part in pending:
            self._identify(part.log)
        for event in reversed(EVENTS):
            parts = [part for part in pending if part.table == event.table]
            # Rows of Parquet and Arrow files have other columns than those of logs.
            for _, alike in groupby(parts, key=lambda part: part.rows.schema):
                self._append_to(event.table, list(alike))

    def _append_to(self, name: str, pending: Sequence[_Part]) -> None:
        lake = self._lake.beside(name, create=True) or self._lake
        for _ in attempts(_TRIES):
            if self._appended(lake, pending):
                return
        raise LakeError(f"{lake.location}: gave up after {_TRIES:,} conflicting commits of other readers")

    def _appended(self, lake: Lake, pending: Sequence[_Part]) -> bool:
        """Return whether the rows are in the lake now; False if another reader committed first: compare them again."""
        table = lake.table
        table.reload()
        step = self._step if lake is self._lake else _whole
        sources = {part.log.reading.source for part in pending}
        dones = {source: table.transaction_version(source) or 0 for source in sources}
        parts = [(part, dones[part.log.reading.source]) for part in pending]
        kept = [part.after(done, step) for part, done in parts]
        number = pa.chunked_array([pa.repeat(pa.scalar(index), rows.num_rows) for index, rows in enumerate(kept)])
        rows = table.layout.widened(pa.Table.from_batches(kept)).append_column(_PART, number)
        # If another reader, now or earlier, got further in a log, its position stays.
        ends = {part.log.reading.source: max(part.end, done) for part, done in parts}
        added = lake.append_logs(rows, ends)
        if added is None:
            return False
        self.added[table.layout.name] += added.num_rows
        if lake is not self._lake:
            return True
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
        for name, log in list(self._logs.items()):
            try:
                self._identify(log)
            except LakeError:
                # The log could not be read either, so it has no rows.
                del self._logs[name]
        try:
            self._lake.readings.add(self.logs)
        except LakeError as error:
            self.error = str(error)


def _runs(names: pa.Array) -> Iterator[tuple[str, int]]:
    """Yield each run of equal names, with the number of the row after the run."""
    if pa.types.is_dictionary(names.type) and len(names.dictionary) == 1 and not names.null_count:
        yield names.dictionary[0].as_py(), len(names)
        return
    runs = pc.run_end_encode(names.dictionary_decode() if pa.types.is_dictionary(names.type) else names)
    for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield name or STDIN, end


def _whole(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _size(path: str) -> int | None:
    """Return the size of a file in bytes; None if it is not a regular file or its size is unknown."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
