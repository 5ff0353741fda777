"""Issue record ids, which continue from one recording to the next.

The file holds the first id that is not reserved, and the version of its format; without a version it is of the first
one, by an older procwire, which continues to count in the same file. A recorder reserves blocks ahead and returns the
rest at its end; one that is killed leaves a gap, but no id is ever issued twice, not even by two recorders at once.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from procwire.errors import RecordError, UsageError
from procwire.files import find, make_folder

__all__ = ["FreshIds", "RecordIds"]

_FILE_NAME = "record_id"
_DIGITS = 19
_VERSION = 1
# An older procwire reads a number, and blanks, up to where the version begins.
_VERSION_OFFSET = _DIGITS + 2
_VERSION_BYTES = 32
_BLOCK = 10_000
# Multiple of a batch's rows, so that a busy recorder does not wait for the disk at each batch.
_BATCHES_AHEAD = 10


class FreshIds:
    """Count from 1, for when no count can be stored."""

    def __init__(self) -> None:
        self._next = 1

    def take(self, count: int) -> int:
        """Return the first of `count` consecutive ids, and use them up."""
        first = self._next
        self._next += count
        return first

    def ahead(self, count: int) -> int:
        """Return the id that `take` issues next."""
        del count
        return self._next

    def close(self) -> None:
        """Do nothing: nothing is stored."""


class RecordIds:
    """Issue record ids, from 1.

    folder: where the count is stored; created if needed. The file stays open, so privileges may be dropped afterwards.
    Raises OSError if it cannot be written or trusted, RecordError if it holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE_NAME
        try:
            if not folder.exists():
                make_folder(folder, 0o755)
            with find(self._path) as place:
                try:
                    self._file = place.make(0o644)
                except FileExistsError:
                    self._file = place.open(os.O_RDWR)
        except UsageError as error:
            raise OSError(errno.EPERM, str(error), os.fspath(folder)) from error
        self._next = self._end = 0
        with self._locked():
            self._stored()

    def take(self, count: int) -> int:
        """Return the first of `count` consecutive ids, and use them up."""
        if self._next + count > self._end:
            self._reserve(count)
        first = self._next
        self._next += count
        return first

    def ahead(self, count: int) -> int:
        """Return the first of `count` consecutive ids, which the next `take` of that many or fewer issues."""
        first = self.take(count)
        self._next = first
        return first

    def close(self) -> None:
        """Return ids that were reserved and not taken, unless another recorder has reserved beyond them."""
        with self._locked():
            if self._end and self._stored() == self._end:
                self._store(self._next)
        os.close(self._file)

    def _reserve(self, count: int) -> None:
        with self._locked():
            stored = self._stored()
            if stored != self._end:
                self._next = stored
            self._end = stored + max(_BLOCK, _BATCHES_AHEAD * count)
            self._store(self._end)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _stored(self) -> int:
        raw = os.pread(self._file, _VERSION_OFFSET, 0).strip()
        self._check_version()
        if not raw:
            return 1
        if not raw.isdigit():
            raise RecordError(f"{self._path}: found {raw!r}, expected a number; remove the file to count from 1")
        return int(raw)

    def _check_version(self) -> None:
        raw = os.pread(self._file, _VERSION_BYTES, _VERSION_OFFSET).strip()
        version = raw.removeprefix(b"version ")
        if not raw or version == b"%d" % _VERSION:
            return
        if not version.isdigit():
            raise RecordError(f"{self._path}: found {raw!r}, expected a version; remove the file to count from 1")
        raise RecordError(
            f"{self._path}: found version {int(version)}, expected {_VERSION} or older: a newer procwire counts here; "
            "upgrade this one"
        )

    def _store(self, number: int) -> None:
        # In place, so that it needs no right to the folder; one write of few bytes is complete or absent.
        os.pwrite(self._file, b"%0*d\n\nversion %d\n" % (_DIGITS, number, _VERSION), 0)
        os.fdatasync(self._file)
