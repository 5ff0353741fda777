"""Where results go: stdout, or a file that appears under its name only when it is whole."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, cast

from procwire.errors import UsageError
from procwire.sinks import Terminal

__all__ = ["Output"]


class Output:
    """A stream of bytes to write to.

    A regular file is written beside its place and moved there by `commit`; a pipe, a device and, with
    `in_place`, any file is written as it is.
    """

    def __init__(self, path: Path | None, *, in_place: bool = False) -> None:
        self.terminal = _terminal() if path is None and sys.stdout.isatty() else None
        self._closes = path is not None
        self._final: Path | None = None
        self._part: Path | None = None
        if path is None:
            self.stream: BinaryIO = _stdout()
            return
        target = path.resolve()
        try:
            if not in_place and (target.is_file() or not target.exists()):
                self._final = target
                self._part = target.with_name(f".{target.name}.{os.getpid()}.part")
            self.stream = (self._part or target).open("wb")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *_: object) -> None:
        """Close; what was not committed is removed."""
        if self._closes:
            self.stream.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def commit(self) -> None:
        """All that was to be written is: flush, and move the file to its place."""
        self.stream.flush()
        if self._part is not None and self._final is not None:
            self.stream.close()
            self._part.replace(self._final)
            self._part = None


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
