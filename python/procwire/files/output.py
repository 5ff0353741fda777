"""An output file: it appears complete, or grows under its name; a pipe or a device is written as it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from procwire.errors import UsageError
from procwire.files.identity import is_among
from procwire.files.place import Place, find
from procwire.files.whole import WholeFile, taken

__all__ = ["OutputFile"]


class OutputFile:
    """Open a file to write to.

    It is written under another name beside its place and gets its own by `commit`; with `in_place` it has its name from
    the beginning. It is new in either case. A pipe or a device is written as it is. force: whether an existing file may
    be overwritten. inputs: what is read while a file grows in place.

    Raises UsageError if it cannot be written, if it exists and not `force`, and if it is one of the inputs.
    """

    def __init__(
        self,
        path: Path,
        *,
        force: bool = False,
        in_place: bool = False,
        inputs: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self.path = path
        self._whole: WholeFile | None = None
        place = find(path)
        try:
            if (descriptor := _as_it_is(place)) is not None:
                self.stream: BinaryIO = os.fdopen(descriptor, "wb")
            elif in_place:
                self.stream = os.fdopen(_new(place, inputs, force=force), "wb")
            else:
                self._whole = WholeFile(place, force=force)
                self.stream = self._whole.stream
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        if self._whole is None:
            place.close()

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    @property
    def appears_complete(self) -> bool:
        """Return whether the file has its name only once it is complete."""
        return self._whole is not None

    def commit(self) -> None:
        """Flush; give the file its name. Raises as `WholeFile.commit`."""
        if self._whole is None:
            self.stream.flush()
        else:
            self._whole.commit()

    def keep_partial(self) -> str | None:
        """Keep an incomplete file under a name that says so, and return that name; None if it has its own already."""
        if self._whole is None:
            self.stream.flush()
            return None
        return self._whole.keep_partial()

    def close(self) -> None:
        """Close; a file that was neither committed nor kept is removed, unless it has its name already."""
        if self._whole is None:
            self.stream.close()
        else:
            self._whole.discard()


def _as_it_is(place: Place) -> int | None:
    """Open a pipe, a device, or a file of this process's; return None for a regular file and for nothing."""
    found = place.stat()
    if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
        return None
    return place.open(os.O_WRONLY)


def _new(place: Place, inputs: Iterable[str | os.PathLike[str]], *, force: bool) -> int:
    try:
        made = place.make(0o666, replace=force)
    except FileExistsError as error:
        raise taken(place) from error
    # Only now that it is there does a pattern or a folder include it.
    if is_among(os.fstat(made), inputs):
        os.close(made)
        place.remove()
        raise UsageError(f"found -o {place.path}, which is one of the files that are read: name another one")
    return made
