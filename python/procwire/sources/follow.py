"""Follow logs that grow: read what is there, then what is added, for as long as the caller iterates.

Text is read on from its last end; a file that shrinks or is replaced (rotation) is read from its start. An EVTX file
grows inside its chunks and, once full, is overwritten from the start: chunks that changed are read again, and only
their new records are returned.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from procwire import _core
from procwire.errors import UsageError
from procwire.event import Event
from procwire.ledger import READ_ERROR, Example, FileLedger, Ledger, Tally
from procwire.sources.inputs import STDIN, Found, NotFollowed, expand, is_packed, is_regular, name_of, reason
from procwire.sources.mappings import LogMapping

__all__ = ["follow_batches"]

_POLL_S = 0.25
_READ_BYTES = 1 << 20
_EVTX_MAGIC = b"ElfFile\0"
_CHUNK_MAGIC = b"ElfChnk\0"
_HEADER_BYTES = 4096
_CHUNK_BYTES = 1 << 16

_Batches = Iterator[tuple[Event, pa.RecordBatch]]


class _Follower(Protocol):
    """Read the news of one log."""

    def account(self) -> FileLedger:
        """Return the file's ledger so far, over all rotations."""

    def news(self) -> _Batches:
        """Yield the batches added since the last call."""

    def close(self) -> None:
        """Close the file."""


def follow_batches(
    paths: Sequence[str | os.PathLike[str]],
    *,
    events: Sequence[Event],
    format: str | None,
    ledger: Ledger,
    mapping: LogMapping | None = None,
) -> _Batches:
    """Yield batches of logs that grow, each with its event; new files in folders and patterns are included.

    A file that cannot be read does not stop the others: it is retried at each pass, and the ledger lists it meanwhile.

    Raises UsageError for inputs that cannot be followed, where the user named them: standard input beside files, packed
    files, pipes. Raises InputError if no input can be read.
    """
    followed = _Followed(format, events, mapping)
    try:
        while True:
            yield from followed.news(expand(paths))
            followed.tell(ledger)
            if followed.is_hopeless:
                ledger.check_read()
            time.sleep(_POLL_S)
    finally:
        # The caller may stop between a batch and its ledger entry.
        followed.tell(ledger)
        followed.close()


class _Followed:
    """Hold the logs that are followed, and those that cannot be."""

    def __init__(self, format: str | None, events: Sequence[Event], mapping: LogMapping | None) -> None:
        self._format = format
        self._mapping = mapping
        self._events = events
        self._followers: dict[str, _Follower] = {}
        self._named: set[str] = set()
        self._errors: dict[str, Exception] = {}
        self._is_awaited = False

    @property
    def is_hopeless(self) -> bool:
        """Return whether nothing is followed or awaited: every input was named, and none can be read."""
        return bool(self._errors) and self._errors.keys() <= self._named and not (self._followers or self._is_awaited)

    def news(self, found: Iterator[Found]) -> _Batches:
        """Yield the batches added since the last call."""
        met: set[str] = set()
        for entry in found:
            met.add(entry.path)
            self._named.update({entry.path} if entry.named else ())
            try:
                if entry.error is not None:
                    raise entry.error
                yield from self._news(entry)
                self._errors.pop(entry.path, None)
            except (OSError, NotFollowed) as error:
                self._errors[entry.path] = error
        self._errors = {path: error for path, error in self._errors.items() if path in met}

    def _news(self, entry: Found) -> _Batches:
        if entry.path not in self._followers:
            follower = self._opened(entry)
            if follower is None:
                self._is_awaited = True
                return
            self._followers[entry.path] = follower
        yield from self._followers[entry.path].news()

    def _opened(self, entry: Found) -> _Follower | None:
        """Return a follower of the file; None while its format cannot be recognised."""
        path = entry.path
        if path == STDIN:
            raise UsageError("found standard input among the files to follow, expected it alone")
        try:
            if (what := _unfit(path)) is not None:
                if entry.named:
                    raise UsageError(f"{entry.name}: found {what}, expected a log that can grow")
                raise NotFollowed(what)
            with Path(path).open("rb") as file:
                head = file.read(len(_EVTX_MAGIC))
        except FileNotFoundError:
            return None
        if not head:
            return None
        if self._format == "evtx" or head == _EVTX_MAGIC:
            return _EvtxFollower(path, self._events)
        return _TextFollower(path, self._format, self._events, self._mapping)

    def tell(self, ledger: Ledger) -> None:
        """Update the ledger."""
        accounts = {path: follower.account() for path, follower in self._followers.items()}
        for path, error in self._errors.items():
            account = accounts.setdefault(path, FileLedger(name_of(path)))
            why = str(reason(error, path))
            if isinstance(error, NotFollowed):
                account.not_followed = why
            elif path in self._followers:
                account.damage[READ_ERROR] = Tally(1, [Example(account.bytes, None, why)])
            else:
                account.error, account.unreadable = why, True
        for path, account in accounts.items():
            account.named = path in self._named
        ledger.files[:] = accounts.values()

    def close(self) -> None:
        """Close all files."""
        for follower in self._followers.values():
            follower.close()


def _unfit(path: str) -> str | None:
    """Return the kind of a file that cannot grow; None if it can. Raises OSError if it cannot be read."""
    if not is_regular(path):
        return "a pipe or a device"
    return "a packed file" if is_packed(path) else None


class _TextFollower:
    """Read a text file on from its last end."""

    def __init__(self, path: str, format: str | None, events: Sequence[Event], mapping: LogMapping | None) -> None:
        self._path = path
        self._format = format
        self._mapping = mapping
        self._events = {event.name: event for event in events}
        self._past = FileLedger(name_of(path))
        self._begin(self._opened())

    def _opened(self) -> BinaryIO:
        return Path(self._path).open("rb")

    def _begin(self, file: BinaryIO) -> None:
        self._file = file
        self._feeder = _core.Feeder(name_of(self._path), format=self._format, events=[*self._events],
                                    mapping=self._mapping)  # fmt: skip

    def account(self) -> FileLedger:
        return self._past + FileLedger.from_core(self._feeder.account())

    def close(self) -> None:
        self._file.close()

    def news(self) -> _Batches:
        yield from self._read()
        if self._replaced():
            # If it cannot be opened, keep the previous one until it can.
            file = self._opened()
            # The last lines may have been written after the read above.
            yield from self._read()
            yield from self._feed(b"", at_end=True)
            self._past = self.account()
            self._file.close()
            self._begin(file)
            yield from self._read()

    def _read(self) -> _Batches:
        while piece := self._file.read(_READ_BYTES):
            yield from self._feed(piece)

    def _feed(self, piece: bytes, *, at_end: bool = False) -> _Batches:
        for batch in self._feeder.feed(piece, at_end=at_end):
            yield self._events[batch.event], pa.record_batch(batch)

    def _replaced(self) -> bool:
        mine = os.fstat(self._file.fileno())
        try:
            there = Path(self._path).stat()
        except FileNotFoundError:
            # Between the two steps of a rotation.
            return False
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino) or there.st_size < self._file.tell()


class _Chunk:
    """Hold the last state of a chunk."""

    def __init__(self) -> None:
        self.checksum: int | None = None
        self.first_record: bytes = b""
        self.last_offset: dict[str, int] = {}
        """Of the last record of each event."""
        self.account: FileLedger | None = None


class _EvtxFollower:
    """Read the chunks of an EVTX file again when they change."""

    def __init__(self, path: str, events: Sequence[Event]) -> None:
        self._path = path
        self._events = {event.name: event for event in events}
        self._stamp: tuple[int, int] | None = None
        self._chunks: dict[int, _Chunk] = {}
        self._past = FileLedger(name_of(path), format="evtx")

    def account(self) -> FileLedger:
        current = (chunk.account for chunk in self._chunks.values() if chunk.account is not None)
        return sum(current, start=self._past)

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def news(self) -> _Batches:
        try:
            stat = Path(self._path).stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return
        with Path(self._path).open("rb") as file:
            self._stamp = stamp
            file.seek(_HEADER_BYTES)
            offset = _HEADER_BYTES
            while block := file.read(_CHUNK_BYTES):
                yield from self._chunk_news(offset, block)
                offset += _CHUNK_BYTES

    def _chunk_news(self, offset: int, block: bytes) -> _Batches:
        chunk = self._chunks.setdefault(offset, _Chunk())
        checksum = zlib.crc32(block)
        # A chunk that is not full yet will change again.
        if checksum == chunk.checksum or len(block) < _CHUNK_BYTES or not block.startswith(_CHUNK_MAGIC):
            return
        first_record = block[8:16]
        if first_record != chunk.first_record and chunk.account is not None:
            self._past += chunk.account
            chunk.last_offset.clear()
        batches, account = _core.evtx_chunk(name_of(self._path), block, offset, events=[*self._events])
        chunk.checksum, chunk.first_record = checksum, first_record
        chunk.account = FileLedger.from_core(account)
        chunk.account.bytes = len(block)
        for batch in batches:
            rows = pa.record_batch(batch)
            news = rows.filter(pc.greater(rows["source_offset"], chunk.last_offset.get(batch.event, -1)))
            chunk.last_offset[batch.event] = rows["source_offset"][-1].as_py()
            if news.num_rows:
                yield self._events[batch.event], news
