"""What the user names becomes inputs: files, folders, globs, standard input, what is packed in them."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import pyarrow as pa

from procwire.files import PART

__all__ = [
    "STDIN",
    "UNPACK_ERRORS",
    "Input",
    "TableError",
    "TableFormat",
    "expand",
    "is_packed",
    "open_inputs",
    "table_format",
]

TableFormat = Literal["parquet", "arrow"]

STDIN = "-"
_MAX_NESTING = 4
_HEAD_BYTES = 512
_PIECE_BYTES = 1 << 16
UNPACK_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,  # zipfile's for a password, NotImplementedError for an unknown method
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    pa.ArrowException,
)
"""What reading packed bytes may raise."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input for the core: what it is called, and a path, a file, or the error that opening it gave."""

    name: str
    source: str | BinaryIO | Exception
    live: bool = False
    """Whether its bytes come as they are made."""
    named: bool = True
    """Whether the user named it."""


class TableError(ValueError):
    """A Parquet or Arrow file where a log is expected."""

    def __init__(self, format: str) -> None:
        super().__init__(f"found {format.title()}, expected a log: `procwire sql --files` asks it")


class _Pieces(io.RawIOBase):
    """Reads give what is at hand: of a pipe without waiting for more, and of damaged packed bytes up to
    the damage, whose error comes after what is before it instead of in its place."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = cast(io.BufferedReader, file)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._file.read1(min(size, _PIECE_BYTES) if size >= 0 else _PIECE_BYTES)

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _UpToError(_Pieces):
    """Ends where reading fails; `error` says why."""

    error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return super().read(size)
        except UNPACK_ERRORS as error:
            self.error = error
            return b""


def _unzstd(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))


_UNPACKERS: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"\x28\xb5\x2f\xfd", _unzstd),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_ZIP = b"PK\x03\x04"
_TAR_AT, _TAR = 257, b"ustar"
# The last begins a stream: it has no magic, but the mark of a message.
_TABLES: dict[bytes, Literal["parquet", "arrow"]] = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",
}


def _unpacker(head: bytes) -> Callable[[BinaryIO], BinaryIO] | None:
    return next((unpack for magic, unpack in _UNPACKERS if head.startswith(magic)), None)


def is_packed(path: str) -> bool:
    """Whether the file's first bytes say that it is compressed or an archive."""
    head = _head(path)
    return _unpacker(head) is not None or head.startswith(_ZIP) or head[_TAR_AT:].startswith(_TAR)


def table_format(path: str) -> TableFormat | None:
    """What kind of table the file's first bytes say that it holds; None for a log."""
    head = _head(path)
    return next((found for magic, found in _TABLES.items() if head.startswith(magic)), None)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_HEAD_BYTES)


def expand(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[str, bool]]:
    """The files that `paths` stand for, each with whether it was named itself: folders are walked, patterns
    matched, in order of name."""
    for path in (os.fspath(path) for path in paths):
        if path != STDIN and not os.path.lexists(path) and glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            for match in matches or [path]:
                yield from _walk(match, named=not matches)
        else:
            yield from _walk(path, named=True)


def _walk(path: str, *, named: bool) -> Iterator[tuple[str, bool]]:
    if not Path(path).is_dir():
        yield path, named
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(folder, name)
            # What is being written at this moment, by this run too, is nobody's log.
            if file.is_file() and not PART.fullmatch(name):
                yield str(file), False


def open_inputs(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Input]:
    """Every input that `paths` stand for, unpacked; those that cannot be opened carry the error."""
    for path, named in expand(paths):
        try:
            if path == STDIN:
                yield from _unpack(STDIN, sys.stdin.buffer, named=named, path=None)
            elif table := table_format(path):
                yield Input(path, TableError(table), named=named)
            elif not is_packed(path):
                yield Input(path, path, named=named)
            else:
                with Path(path).open("rb") as file:
                    yield from _unpack(path, file, named=named, path=path)
        except UNPACK_ERRORS as error:
            yield Input(path, _describe(error, path), named=named)


def _describe(error: Exception, path: str) -> Exception:
    """Without the path, which the ledger shows beside it."""
    if isinstance(error, OSError) and error.strerror and error.filename == path:
        return OSError(error.strerror)
    return error


def _unpack(name: str, file: BinaryIO, *, named: bool, path: str | None, depth: int = 0) -> Iterator[Input]:
    """The inputs inside of `file`, or itself if it is not packed."""
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(_Pieces(file))
    head = buffered.peek(_HEAD_BYTES)
    unpack = _unpacker(head)
    is_tar = head[_TAR_AT:].startswith(_TAR)
    if depth >= _MAX_NESTING and (unpack or is_tar or head.startswith(_ZIP)):
        yield Input(name, ValueError(f"found more than {_MAX_NESTING} packings within each other"), named=named)
    elif unpack:
        yield from _unpack(name, unpack(buffered), named=named, path=None, depth=depth + 1)
    elif head.startswith(_ZIP):
        yield from _unzip(name, buffered, path, depth)
    elif is_tar:
        yield from _untar(name, buffered, depth)
    else:
        yield Input(name, cast(BinaryIO, _Pieces(buffered)), live=name == STDIN, named=named)


def _unzip(name: str, file: io.BufferedReader, path: str | None, depth: int) -> Iterator[Input]:
    # A zip's directory stands at its end: one within a stream has to be held whole.
    with zipfile.ZipFile(path if path is not None else io.BytesIO(file.read())) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            inner = f"{name}!{member.filename}"
            try:
                with archive.open(member) as packed:
                    yield from _unpack(inner, cast(BinaryIO, packed), named=False, path=None, depth=depth + 1)
            except UNPACK_ERRORS as error:
                yield Input(inner, error)


def _untar(name: str, file: io.BufferedReader, depth: int) -> Iterator[Input]:
    source = _UpToError(file)
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                packed = archive.extractfile(member) if member.isfile() else None
                if packed is not None:
                    inner = f"{name}!{member.name}"
                    yield from _unpack(inner, cast(BinaryIO, packed), named=False, path=None, depth=depth + 1)
    except tarfile.TarError:
        # What it makes of the early end says less.
        if source.error is None:
            raise
    if source.error is not None:
        raise source.error
