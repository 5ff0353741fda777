"""Logs that grow: what is there, then what comes, for as long as the caller asks.

Text is read on from where it ended; a file that shrinks or is replaced (rotation) is begun anew. An EVTX
file grows inside of its chunks and, once full, is written over from the start: chunks that changed are read
again, and of those only the records that were not there before are given.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from procwire import _core
from procwire.errors import UsageError
from procwire.event import Event
from procwire.ledger import FileLedger, Ledger
from procwire.sources.inputs import STDIN, expand, is_packed

__all__ = ["follow_batches"]

_POLL_S = 0.25
_READ_BYTES = 1 << 20
_EVTX_MAGIC = b"ElfFile\0"
_CHUNK_MAGIC = b"ElfChnk\0"
_HEADER_BYTES = 4096
_CHUNK_BYTES = 1 << 16

_Batches = Iterator[tuple[Event, pa.RecordBatch]]


class _Follower(Protocol):
    def account(self) -> FileLedger:
        """The file's account so far, over all that was rotated away."""

    def news(self) -> _Batches:
        """What came since the last call."""

    def close(self) -> None:
        """Let go of the file."""


def follow_batches(
    paths: Sequence[str | os.PathLike[str]],
    *,
    events: Sequence[Event],
    format: str | None,
    ledger: Ledger,
) -> _Batches:
    """Batches of events as logs grow, each with its event; new files in folders and patterns are taken up as they come.

    Raises UsageError for what cannot be followed: standard input beside files, packed files.
    """
    followers: dict[str, _Follower] = {}
    named_paths: set[str] = set()
    try:
        while True:
            for path, named in expand(paths):
                if path not in followers:
                    follower = _open(path, format, events)
                    if follower is None:
                        continue
                    followers[path] = follower
                named_paths.update({path} if named else ())
                yield from followers[path].news()
            _tell(ledger, followers, named_paths)
            time.sleep(_POLL_S)
    finally:
        # It may end between what was given and its account.
        _tell(ledger, followers, named_paths)
        for follower in followers.values():
            follower.close()


def _tell(ledger: Ledger, followers: Mapping[str, _Follower], named_paths: Container[str]) -> None:
    ledger.files[:] = [follower.account() for follower in followers.values()]
    for account in ledger.files:
        account.named = account.name in named_paths


def _open(path: str, format: str | None, events: Sequence[Event]) -> _Follower | None:
    """None while there is nothing to tell the format by."""
    if path == STDIN:
        raise UsageError("found standard input among the files to follow, expected it alone")
    try:
        if is_packed(path):
            raise UsageError(f"{path}: found a packed file, expected a log that can grow")
        with Path(path).open("rb") as file:
            head = file.read(len(_EVTX_MAGIC))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if not head:
        return None
    if format == "evtx" or head == _EVTX_MAGIC:
        return _EvtxFollower(path, events)
    return _TextFollower(path, format, events)


class _TextFollower:
    """Reads on from where it stopped."""

    def __init__(self, path: str, format: str | None, events: Sequence[Event]) -> None:
        self._path = path
        self._format = format
        self._events = {event.name: event for event in events}
        self._past = FileLedger(path)
        self._begin()

    def _begin(self) -> None:
        self._file = Path(self._path).open("rb")  # noqa: SIM115 - held as long as the file is followed
        self._feeder = _core.Feeder(self._path, format=self._format, events=[*self._events])

    def account(self) -> FileLedger:
        return self._past + FileLedger.from_core(self._feeder.account())

    def close(self) -> None:
        self._file.close()

    def news(self) -> _Batches:
        yield from self._read()
        if self._replaced():
            # The last lines may have been written after the read above.
            yield from self._read()
            yield from self._feed(b"", at_end=True)
            self._past = self.account()
            self._file.close()
            self._begin()
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
    """What was seen of a chunk."""

    def __init__(self) -> None:
        self.checksum: int | None = None
        self.first_record: bytes = b""
        self.last_offset: dict[str, int] = {}
        """Of the last record of each event."""
        self.account: FileLedger | None = None


class _EvtxFollower:
    """Reads chunks again when they change."""

    def __init__(self, path: str, events: Sequence[Event]) -> None:
        self._path = path
        self._events = {event.name: event for event in events}
        self._stamp: tuple[int, int] | None = None
        self._chunks: dict[int, _Chunk] = {}
        self._past = FileLedger(path, format="evtx")

    def account(self) -> FileLedger:
        current = (chunk.account for chunk in self._chunks.values() if chunk.account is not None)
        return sum(current, start=self._past)

    def close(self) -> None:
        """It is open only while it is read."""

    def news(self) -> _Batches:
        try:
            stat = Path(self._path).stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        with Path(self._path).open("rb") as file:
            file.seek(_HEADER_BYTES)
            offset = _HEADER_BYTES
            while block := file.read(_CHUNK_BYTES):
                yield from self._chunk_news(offset, block)
                offset += _CHUNK_BYTES

    def _chunk_news(self, offset: int, block: bytes) -> _Batches:
        chunk = self._chunks.setdefault(offset, _Chunk())
        checksum = zlib.crc32(block)
        # A chunk that is not written to its end yet will change again.
        if checksum == chunk.checksum or len(block) < _CHUNK_BYTES or not block.startswith(_CHUNK_MAGIC):
            return
        first_record = block[8:16]
        if first_record != chunk.first_record and chunk.account is not None:
            self._past += chunk.account
            chunk.last_offset.clear()
        batches, account = _core.evtx_chunk(self._path, block, offset, events=[*self._events])
        chunk.checksum, chunk.first_record = checksum, first_record
        chunk.account = FileLedger.from_core(account)
        chunk.account.bytes = len(block)
        for batch in batches:
            rows = pa.record_batch(batch)
            news = rows.filter(pc.greater(rows["source_offset"], chunk.last_offset.get(batch.event, -1)))
            chunk.last_offset[batch.event] = rows["source_offset"][-1].as_py()
            if news.num_rows:
                yield self._events[batch.event], news
