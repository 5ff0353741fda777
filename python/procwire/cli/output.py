"""Where results go: stdout, or a file that appears under its name only when it is whole."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from procwire.cli.exits import complain
from procwire.errors import ProcwireError, UsageError
from procwire.files import Place, WholeFile, find, is_among, taken
from procwire.sinks import Terminal

__all__ = ["Output"]


class Output:
    """A stream of bytes to write to.

    A file is written under another name beside its place and moved there by `commit`; with `in_place` it has its name
    from the beginning, and it is new in either case. A pipe or a device is written as it is. path: None for stdout.
    force: whether a file that is there may be overwritten. inputs: what is read while a file grows in place.

    Raises UsageError for what cannot be written, for a file that is there and not `force`, and for one that would be
    read itself.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        force: bool = False,
        in_place: bool = False,
        inputs: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self.terminal = _terminal() if path is None and sys.stdout.isatty() else None
        self._path = path
        self._file: WholeFile | None = None
        self._is_done = False
        if path is None:
            self.stream: BinaryIO = _stdout()
            return
        place = find(path)
        try:
            if (descriptor := _as_it_is(place)) is not None:
                self.stream = os.fdopen(descriptor, "wb")
                self.terminal = _terminal() if os.isatty(descriptor) else None
            elif in_place:
                self.stream = os.fdopen(_new(place, inputs, force=force), "wb")
            else:
                self._file = WholeFile(place, force=force)
                self.stream = self._file.stream
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        if self._file is None:
            place.close()

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close; what was not committed is removed, and where no message says why, that is said."""
        if self._file is not None:
            self._file.discard()
            if not self._is_done and error is not None and not isinstance(error, ProcwireError | OSError):
                complain(f"interrupted: {self._path} was not written")
        elif self._path is not None:
            self.stream.close()

    def commit(self) -> None:
        """All that was to be written is: flush, and give the file its name."""
        if self._file is None:
            self.stream.flush()
        else:
            self._file.commit()
        self._is_done = True

    def keep_partial(self) -> None:
        """The writing was interrupted: keep what there is under a name that says so, and say it on stderr."""
        if self._file is None:
            self.stream.flush()
        else:
            name = self._file.keep_partial()
            complain(f"interrupted: {self._path} was not written, what there was is in {name} beside it")
        self._is_done = True


def _as_it_is(place: Place) -> int | None:
    """Open what is no regular file: a pipe, a device, or a file of this process's; None where it is one, or nothing."""
    found = place.stat()
    if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
        return None
    return place.open(os.O_WRONLY)


def _new(place: Place, inputs: Iterable[str | os.PathLike[str]], *, force: bool) -> int:
    try:
        made = place.make(0o666, replace=force)
    except FileExistsError as error:
        raise taken(place) from error
    # Only now that it is there does a pattern or a folder have it.
    if is_among(os.fstat(made), inputs):
        os.close(made)
        place.remove()
        raise UsageError(f"found -o {place.path}, which is one of the files that are read: name another one")
    return made


class _WholeWrites(io.RawIOBase):
    """A raw stream that writes all it is given: by itself one may stop short, at a signal for one."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            rest = rest[self._raw.write(rest) or 0 :]
        return size


def _stdout() -> BinaryIO:
    # Raw where Python runs unbuffered (-u, PYTHONUNBUFFERED), as in many containers.
    if isinstance(sys.stdout.buffer, io.RawIOBase):
        return cast(BinaryIO, _WholeWrites(sys.stdout.buffer))
    return sys.stdout.buffer


def _terminal() -> Terminal:
    from rich.console import Console

    console = Console()
    return Terminal(console.width, colours=console.color_system is not None and not console.no_color)
