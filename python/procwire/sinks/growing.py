"""Append whole records to a file, and repair it when it is opened again.

Every append is one call to the kernel, so a file holds whole records at every moment except during that call: a process
killed within it leaves a torn last record, which `open` cuts off. The footer of a file (`</Events>`) is overwritten by
the same call that writes it again behind the records.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from procwire.errors import UsageError
from procwire.files import RECORDING_MODE, Place

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ForeignFileError",
    "Form",
    "GrowingFile",
    "begun_with",
    "last_line_end",
    "last_message_end",
    "not_ours",
]

_STEP_BYTES = 1 << 16
_HEAD_BYTES = 256
Bytes: TypeAlias = "bytes | memoryview | pa.Buffer"


@dataclass(frozen=True, slots=True)
class Form:
    """Describe how files of a format begin and end, and how to find whole records in them."""

    header: bytes
    footer: bytes
    records_end: Callable[[int, int, int], int]
    """From a descriptor, where the records start and where the file ends: where the last whole record does."""


class ForeignFileError(Exception):
    """Report a file that was not written in this format, so that nothing can be appended."""


class GrowingFile:
    """Open a file of a form to append to it, or create it.

    `place` is the caller's, and stays open as long as the file. A new file has mode 0640 or less, and one of this
    account that has more gets it.

    Raises ForeignFileError if its start does not match its form, UsageError if it cannot be written or if another
    process writes it.
    """

    def __init__(self, place: Place, form: Form) -> None:
        self.place = place
        self._form = form
        # At its current end: a program that empties the file (logrotate's copytruncate) causes no hole.
        append = 0 if form.footer else os.O_APPEND
        try:
            self._fd = _opened(place, append)
        except OSError as error:
            raise UsageError(f"cannot write {place.path}: {error.strerror}") from error
        try:
            self._lock()
            _close_to_others(self._fd)
            self._go_on()
        except OSError as error:
            os.close(self._fd)
            raise UsageError(f"cannot write {place.path}: {error.strerror}") from error
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, records: Bytes) -> None:
        """Write whole records. If that fails (OSError: a full disk) the file is as it was before."""
        if self.size == 0:
            # Emptied by others, or new.
            self._begin()
        at = self.size - len(self._form.footer)
        # Blanks where the footer was: a follower of the file has read up to its end, and continues after it.
        parts = (b" " * len(self._form.footer), records, self._form.footer)
        try:
            self._write_at(at, *parts)
        except OSError:
            self._cut(at)
            raise

    @property
    def size(self) -> int:
        """Return the bytes in the file."""
        return os.fstat(self._fd).st_size

    @property
    def is_empty(self) -> bool:
        """Return whether it holds no record."""
        return self.size <= len(self._form.header) + len(self._form.footer)

    @property
    def written_s(self) -> float:
        """Return when it was last written, in Unix time."""
        return os.fstat(self._fd).st_mtime

    @property
    def was_moved(self) -> bool:
        """Return whether its path now names another file, or none."""
        mine = os.fstat(self._fd)
        there = self.place.stat()
        return there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        """Sync to the disk, and close."""
        with suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"cannot write {self.place.path}: another process is writing it") from error

    def _go_on(self) -> None:
        form, size = self._form, self.size
        # Torn within the header there is nothing to keep.
        if size < len(form.header) and os.pread(self._fd, size, 0) == form.header[:size]:
            os.ftruncate(self._fd, 0)
            size = 0
        if size == 0:
            self._begin()
            return
        if os.pread(self._fd, len(form.header), 0) != form.header:
            raise ForeignFileError
        end = form.records_end(self._fd, len(form.header), size)
        if os.pread(self._fd, size, end) != form.footer:
            self._cut(end)

    def _begin(self) -> None:
        if self._form.header:
            self._write_at(0, self._form.header, self._form.footer)

    def _cut(self, end: int) -> None:
        os.ftruncate(self._fd, end)
        if self._form.footer:
            self._write_at(end, self._form.footer)

    def _write_at(self, at: int, *parts: Bytes) -> None:
        rest = [memoryview(part) for part in parts if len(part)]
        while rest:
            # With O_APPEND Linux writes at the end, whatever `at` says.
            done = os.pwritev(self._fd, rest, at)
            at += done
            while rest and done >= len(rest[0]):
                done -= len(rest.pop(0))
            if rest:
                rest[0] = rest[0][done:]


def _opened(place: Place, append: int) -> int:
    if place.stat() is None:
        return place.make(RECORDING_MODE, flags=append)
    opened = place.open(os.O_RDWR | os.O_NONBLOCK | append)
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    raise PermissionError(errno.EPERM, "found no regular file")


def _close_to_others(fd: int) -> None:
    """Remove the rights that a recording does not grant: an older version granted more."""
    found = os.fstat(fd)
    if found.st_uid == os.geteuid() and (more := stat.S_IMODE(found.st_mode) & ~RECORDING_MODE):
        os.fchmod(fd, stat.S_IMODE(found.st_mode) & ~more)


def not_ours(fd: int, start: int, size: int) -> int:
    """Accept no file: nothing shows that it is ours. Raises ForeignFileError."""
    del fd, start, size
    raise ForeignFileError


def begun_with(begins: Callable[[bytes], bool], find: Callable[[int, int, int], int]) -> Callable[[int, int, int], int]:
    """Return a `find` for files whose first bytes `begins` accepts; it raises ForeignFileError for others."""

    def checked(fd: int, start: int, size: int) -> int:
        if not begins(os.pread(fd, _HEAD_BYTES, 0)):
            raise ForeignFileError
        return find(fd, start, size)

    return checked


def last_line_end(line_end: bytes, is_ours: Callable[[bytes], bool]) -> Callable[[int, int, int], int]:
    """Return a `find` for where the last whole line ends.

    It raises ForeignFileError if `is_ours` rejects the head of a torn line after it: others wrote that, and it is not
    ours to cut.
    """

    def find(fd: int, start: int, size: int) -> int:
        tail, at = b"", size
        while at > start:
            step = min(_STEP_BYTES, at - start)
            at -= step
            tail = os.pread(fd, step, at) + tail[: len(line_end)]
            if (found := tail.rfind(line_end)) >= 0:
                start = at + found + len(line_end)
                break
        head = os.pread(fd, _HEAD_BYTES, start)
        if head and not is_ours(head):
            raise ForeignFileError
        return start

    return find


def last_message_end(fd: int, start: int, size: int) -> int:
    """Return where the last whole message of an Arrow IPC stream ends."""
    import pyarrow as pa

    del start, size
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        end = 0
        with suppress(StopIteration, pa.ArrowInvalid, OSError):
            reader = pa.ipc.MessageReader.open_stream(pa.PythonFile(file, "r"))
            while True:
                reader.read_next_message()
                end = file.tell()
    return end
