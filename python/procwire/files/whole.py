"""A file that appears under its name once it is complete.

It is written under an unpredictable name in its target folder, synced, and then renamed. The writer holds a lock on
it: a partial file without a lock was left by a killed run, and the next run in the folder removes it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import PurePath

from procwire.errors import UsageError
from procwire.files.place import Place

__all__ = ["PART", "WholeFile", "remove_stale_parts", "taken"]

PART = re.compile(r"\.procwire-[0-9a-f]{16}\.part")
"""Matches names of files that are being written, or were left by a killed run."""


class WholeFile:
    """Write a new file at `place`, which it then owns and closes.

    force: replace an existing file. mode: permissions, reduced by the umask.

    Raises UsageError if the file exists and not `force`, or if the folder cannot be written.
    """

    def __init__(self, place: Place, *, force: bool, mode: int = 0o666) -> None:
        self._place = place
        self._force = force
        if not force and place.stat() is not None:
            raise taken(place)
        remove_stale_parts(place)
        try:
            self._part, descriptor = _new_part(place, mode)
        except OSError as error:
            raise UsageError(f"cannot write {place.path}: {error.strerror}") from error
        self.stream = os.fdopen(descriptor, "wb")
        """The open file, for writing its bytes."""
        self._is_open = True

    def commit(self) -> None:
        """Rename the complete file to its final name.

        Raises UsageError if another file took the name meanwhile, unless `force`, or if others removed the partial
        file; OSError if the disk is full.
        """
        self._sync()
        if not self._place.rename(self._part, self._place.name, replace=self._force):
            raise taken(self._place)
        self._end()

    def keep_partial(self) -> str:
        """Keep the partial file under a name such as `rows.partial.csv` for `rows.csv`; return the name."""
        self._sync()
        name = PurePath(self._place.name)
        number, partial = 1, f"{name.stem}.partial{name.suffix}"
        while not self._place.rename(self._part, partial):
            number += 1
            partial = f"{name.stem}.partial-{number}{name.suffix}"
        self._end()
        return partial

    def discard(self) -> None:
        """Remove the partial file; do nothing if the file already has its final name."""
        if not self._is_open:
            return
        with suppress(OSError):
            os.unlink(self._part, dir_fd=self._place.folder)
        with suppress(OSError):
            self.stream.close()
        self._is_open = False
        self._place.close()

    def _sync(self) -> None:
        self.stream.flush()
        os.fsync(self.stream.fileno())
        with self._place.beside(self._part) as part:
            there, mine = part.stat(), os.fstat(self.stream.fileno())
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            raise UsageError(f"cannot write {self._place.path}: another process removed its {self._part}")

    def _end(self) -> None:
        with suppress(OSError):
            self._place.sync()
        self._is_open = False
        self.stream.close()
        self._place.close()


def remove_stale_parts(place: Place) -> None:
    """Remove the partial files that killed runs of this account left in the folder of `place`, as far as possible."""
    with suppress(OSError):
        for name in filter(PART.fullmatch, place.names()):
            with suppress(OSError):
                _remove_stale(place.folder, name)


def _remove_stale(folder: int, name: str) -> None:
    part = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(part)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(part)


def _new_part(place: Place, mode: int) -> tuple[str, int]:
    """Create a partial file and lock it; return its name and descriptor."""
    while True:
        name = f".procwire-{os.urandom(8).hex()}.part"
        part = place.beside(name)
        descriptor = part.make(mode)
        part.close()
        # On file systems without locks, no partial file is considered stale either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        # Another run removed it just before it was locked.
        os.close(descriptor)


def taken(place: Place) -> UsageError:
    """Return the error for a file that exists and must not be overwritten."""
    return UsageError(f"found {place.path}, which already exists: choose another name, or --force to overwrite it")
