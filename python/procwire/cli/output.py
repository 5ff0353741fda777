"""The output of results: stdout, or a file that appears under its name once it is complete."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from procwire.cli.exits import complain
from procwire.errors import ProcwireError
from procwire.files import OutputFile
from procwire.sinks import Terminal

__all__ = ["Output"]


class Output:
    """Open stdout, or a file, to write bytes to: `stream`, and `terminal` if it is one.

    path: None for stdout. The other arguments, and the errors, are those of `files.OutputFile`.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        force: bool = False,
        in_place: bool = False,
        inputs: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self._file = None if path is None else OutputFile(path, force=force, in_place=in_place, inputs=inputs)
        self.stream: BinaryIO = _stdout() if self._file is None else self._file.stream
        self.terminal = _terminal() if _is_terminal(self._file) else None
        self._is_done = False

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close. A file that was not committed is removed; a message says so unless another message does."""
        if self._file is None:
            return
        self._file.close()
        interrupted = error is not None and not isinstance(error, ProcwireError | OSError)
        if self._file.appears_complete and not self._is_done and interrupted:
            complain(f"interrupted: {self._file.path} was not written")

    def commit(self) -> None:
        """Flush, and rename a complete file to its name."""
        if self._file is None:
            self.stream.flush()
        else:
            self._file.commit()
        self._is_done = True

    def keep_partial(self) -> None:
        """Keep an incomplete file under a name that says so, and print that name on stderr."""
        if self._file is None:
            self.stream.flush()
        elif (name := self._file.keep_partial()) is not None:
            complain(f"interrupted: {self._file.path} was not written, what there was is in {name} beside it")
        self._is_done = True


def _is_terminal(file: OutputFile | None) -> bool:
    return sys.stdout.isatty() if file is None else file.stream.isatty()


class _WholeWrites(io.RawIOBase):
    """Write everything to a raw stream, which by itself may write only a part, for example at a signal."""

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
