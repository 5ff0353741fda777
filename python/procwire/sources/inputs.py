"""Turn what the user names into inputs: files, folders, globs, standard input, and what is packed in them."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from procwire.errors import InputError
from procwire.files import PART
from procwire.files.patterns import is_pattern, matches
from procwire.sources.left_out import NoLogError, NotFollowed
from procwire.sources.limits import Budget, UnpackLimits
from procwire.sources.streams import Pieces, packing_of

__all__ = [
    "STDIN",
    "Found",
    "Input",
    "NoLogError",
    "NotFollowed",
    "TableError",
    "TableFormat",
    "check_paths",
    "expand",
    "is_packed",
    "is_regular",
    "missing_paths",
    "name_of",
    "open_inputs",
    "reason",
    "table_format",
]

TableFormat = Literal["parquet", "arrow"]

STDIN = "-"
_HEAD_BYTES = 512
_TABLES: dict[bytes, TableFormat] = {b"PAR1": "parquet", b"ARROW1": "arrow"}
# The start of an Arrow stream, which has no magic: the mark of a message, and its length in four bytes. In erased disks
# and text this length exceeds the limit, 256 MiB.
_MESSAGE, _LENGTH_AT, _LENGTH_TOP = b"\xff\xff\xff\xff", 7, 0x10
_KINDS = {
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a link to a folder",
}


@dataclass(frozen=True, slots=True)
class Input:
    """Hold one input for the core: its name, and a path, a file, or the error of opening it."""

    name: str
    """Text that can be written anywhere, see `name_of`."""
    source: str | BinaryIO | Exception
    live: bool = False
    """Whether its bytes come as they are made."""
    named: bool = True
    """Whether the user named it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what a path stands for: a file, or a path that cannot be read as one."""

    path: str
    """As `os.fsdecode` gives it: what is no text stays what it is."""
    named: bool
    """Whether the user named it."""
    error: Exception | None = None
    """Why it cannot be read; NotFollowed if it is left out on purpose."""

    @property
    def name(self) -> str:
        """Return its name."""
        return name_of(self.path)


class TableError(NoLogError):
    """Report a Parquet or Arrow file where a log is expected."""

    def __init__(self, format: str, path: str) -> None:
        super().__init__(f"found {format.title()}, expected a log: `procwire sql QUERY FILE` queries it")
        self.path = path
        """As `os.fsdecode` gives it."""


def name_of(path: str) -> str:
    r"""Return a path, or the name of a member, as text: bytes that are not UTF-8 become `\xNN`."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # Half of a character, which no system call gives.
        return path.encode("utf-8", "backslashreplace").decode("utf-8")


def is_packed(path: str) -> bool:
    """Return whether the file's first bytes show that it is compressed or an archive."""
    return packing_of(_head(path), at_end=True) is not None


def table_format(path: str) -> TableFormat | None:
    """Return the kind of table that the file's first bytes show; None for a log."""
    return _table_of(_head(path))


def is_regular(path: str) -> bool:
    """Return whether it is a regular file, which can be read again. Raises OSError if it cannot be checked."""
    return stat.S_ISREG(Path(path).stat().st_mode)


def _table_of(head: bytes) -> TableFormat | None:
    if head.startswith(_MESSAGE) and len(head) > _LENGTH_AT and head[_LENGTH_AT] < _LENGTH_TOP:
        return "arrow"
    return next((found for magic, found in _TABLES.items() if head.startswith(magic)), None)


def _needs_more(head: bytes) -> bool:
    """Return whether more bytes are needed to decide if it is a table."""
    marks = (*_TABLES, _MESSAGE)
    is_open = any(mark.startswith(head) for mark in marks if len(head) < len(mark))
    return is_open or (head.startswith(_MESSAGE) and len(head) <= _LENGTH_AT)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_HEAD_BYTES)


def expand(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Found]:
    """Yield what `paths` stand for: folders are walked, patterns matched, in order of name.

    Files that cannot be read, or are not followed, are included.
    """
    for path in (os.fspath(path) for path in paths):
        if path != STDIN and not os.path.lexists(path) and is_pattern(path):
            yield from _matched(path)
        else:
            yield from _walk(path, named=True)


def missing_paths(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return the paths that lead to no file, folder, pipe or device, and match none."""
    absent = [path for path in (os.fspath(path) for path in paths) if path != STDIN and not os.path.lexists(path)]
    return [path for path in absent if not (is_pattern(path) and matches(path))]


def check_paths(paths: Sequence[str | os.PathLike[str]]) -> None:
    """Raise InputError if none of the paths leads to a file, a folder, a pipe or a device: they are mistyped, then."""
    missing = missing_paths(paths)
    if missing and len(missing) == len(paths):
        causes = [f"{name_of(path)}: No such file or directory" for path in missing[:3]]
        raise InputError("; ".join(causes))


def _matched(pattern: str) -> Iterator[Found]:
    found = matches(pattern)
    if not found:
        yield Found(pattern, named=True)
    seen: set[str] = set()
    for path, error in found:
        unread = [Found(path, named=False, error=error)]
        for one in unread if error is not None else _walk(path, named=False):
            # A pattern may match a folder and files in it, or a link to a folder already found: one match is enough.
            place = os.path.realpath(one.path)
            if place not in seen:
                seen.add(place)
                yield one


def _walk(path: str, *, named: bool) -> Iterator[Found]:
    if not os.path.isdir(path):  # noqa: PTH112 - Path's raises what this takes for no folder
        yield Found(path, named) if named else _file(path)
        return
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Found(folder, named and folder == path, error)
            continue
        below = [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        folders += reversed(below)
        for entry in found:
            # A file that is being written at this moment, perhaps by this run, is not a log.
            if not entry.is_dir(follow_symlinks=False) and not PART.fullmatch(entry.name):
                yield _file(entry.path)


def _file(path: str) -> Found:
    """Return a file that was found in a folder, or matched by a pattern."""
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not Path(path).is_symlink():
            # It was there a moment ago: a log that is rotated, say.
            return Found(path, named=False)
        return Found(path, named=False, error=error)
    kind = next((kind for is_kind, kind in _KINDS.items() if is_kind(mode)), None)
    return Found(path, named=False, error=NotFollowed(kind) if kind else None)


def open_inputs(paths: Sequence[str | os.PathLike[str]], limits: UnpackLimits | None = None) -> Iterator[Input]:
    """Yield every input that `paths` stand for, unpacked; those that cannot be opened carry the error."""
    for found in expand(paths):
        try:
            if found.error is not None:
                raise found.error
            yield from _open(found, Budget(limits or UnpackLimits()))
        except Exception as error:
            # Whatever a hostile file makes the unpacking raise, read the next one.
            yield Input(found.name, reason(error, found.path), named=found.named)


def _open(found: Found, budget: Budget) -> Iterator[Input]:
    if found.path == STDIN:
        yield from _unpacked(found, sys.stdin.buffer, budget, live=True)
        return
    with Path(found.path).open("rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            # A pipe can be read only once.
            yield from _unpacked(found, file, budget, live=True)
            return
        head = file.read(_HEAD_BYTES)
        if table := _table_of(head):
            yield Input(found.name, TableError(table, found.path), named=found.named)
        elif packing_of(head, at_end=True) is None:
            yield Input(found.name, found.path, named=found.named)
        else:
            file.seek(0)
            yield from _unpacked(found, file, budget, live=False)


def _unpacked(found: Found, file: BinaryIO, budget: Budget, *, live: bool) -> Iterator[Input]:
    # On first use: most logs are not packed, and what reads archives takes long to import.
    from procwire.sources.packings import unpack

    for name, source in unpack(found.path, Pieces(file), budget, file=None if live else file):
        itself = name == found.path
        if isinstance(source, Pieces) and (table := _table_of(source.head(_needs_more))):
            # A packed file or a pipe is read once; a table needs random access.
            source = NoLogError(f"found {table.title()}, expected a log: `procwire sql QUERY FILE` queries a file")
        yield Input(name_of(name), cast("BinaryIO | Exception", source), live=live and itself,
                    named=found.named and itself)  # fmt: skip


def reason(error: Exception, path: str) -> Exception:
    """Return why an input cannot be read, without its path, which the ledger shows beside it."""
    if isinstance(error, OSError) and error.strerror and error.filename == path:
        is_dangling = isinstance(error, FileNotFoundError) and Path(path).is_symlink()
        return OSError(f"a link that leads to no file: {error.strerror}" if is_dangling else error.strerror)
    return error
