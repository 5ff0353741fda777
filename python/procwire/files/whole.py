"""A file that appears under its name once it is whole.

It is written under a name that nobody can predict, in the folder where it belongs, synced, and then renamed. The writer
holds a lock on it: a part without one was left by a run that was killed, and the next run in the folder removes it.
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
"""Names of files that are being written, or were left by a killed run."""


class WholeFile:
    """A new file at `place`, which it takes over.

    force: whether a file of that name is replaced. mode: of the file; the umask takes from it.

    Raises UsageError if there is a file and not `force`, or if the folder cannot be written.
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
        """The bytes of the file."""
        self._is_open = True

    def commit(self) -> None:
        """Give the file its name: all of it is written.

        Raises UsageError if another file took the name meanwhile, unless `force`, or if others took the part away;
        OSError if the disk is full.
        """
        self._sync()
        if not self._place.rename(self._part, self._place.name, replace=self._force):
            raise taken(self._place)
        self._end()

    def keep_partial(self) -> str:
        """Keep what is written so far, under a name that says so: `rows.partial.csv` of `rows.csv`; return the name."""
        self._sync()
        name = PurePath(self._place.name)
        number, partial = 1, f"{name.stem}.partial{name.suffix}"
        while not self._place.rename(self._part, partial):
            number += 1
            partial = f"{name.stem}.partial-{number}{name.suffix}"
        self._end()
        return partial

    def discard(self) -> None:
        """Remove what was written; nothing if the file has its name already."""
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
            raise UsageError(f"cannot write {self._place.path}: somebody took away its {self._part}")

    def _end(self) -> None:
        with suppress(OSError):
            self._place.sync()
        self._is_open = False
        self.stream.close()
        self._place.close()


def remove_stale_parts(place: Place) -> None:
    """Remove the parts that killed runs of this account left in the folder of `place`; what cannot be removed stays."""
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
    """Make a part and lock it; return its name and descriptor."""
    while True:
        name = f".procwire-{os.urandom(8).hex()}.part"
        part = place.beside(name)
        descriptor = part.make(mode)
        part.close()
        # Where there are no locks no part is ever taken for stale either.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        # Another run removed it in the moment before it was locked.
        os.close(descriptor)


def taken(place: Place) -> UsageError:
    """Return the error of a file that is there and must not be overwritten."""
    return UsageError(f"found {place.path}, which exists already: choose another name, or --force to overwrite it")
