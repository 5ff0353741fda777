"""Open packed inputs: compressed streams and archives, one within the other, within limits."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, cast

from procwire.sources.left_out import NoLogError, NotFollowed
from procwire.sources.limits import Budget, ExhaustedError
from procwire.sources.streams import PIECE_BYTES, Pieces, unpacked
from procwire.sources.zips import Member, members

__all__ = ["unpack"]

_HEADER_BYTES = 1 << 20
"""What a tar may say of a member before its bytes: long names, extended headers, the map of a sparse file."""
_PADDING_BYTES = 64 << 20
"""Zeros between and behind tars: tapes are written in large blocks."""
_BLOCK_BYTES = 512
_LEFT_OUT = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link to another member",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    b"V": "a label",
    b"D": "a folder's list",
}

Opened = Iterator[tuple[str, Pieces | Exception]]


def unpack(name: str, stream: Pieces, budget: Budget, *, file: BinaryIO | None = None, depth: int = 0) -> Opened:
    """Yield what is packed in a stream, or the stream itself; each with its name, or with why it cannot be read.

    file: the same bytes where they allow random access. Read each result before you request the next. Raises any error
    that ends the unpacking of an archive: results before it count.
    """
    packing = stream.packing()
    if packing is None:
        yield name, stream
        return
    budget.check_nesting(depth)
    if packing == "zip":
        yield from _unzip(name, stream, budget, file, depth)
    elif packing == "tar":
        yield from _untar(name, stream, budget, depth)
    else:
        inner = Pieces(unpacked(stream, packing), budget, lambda: stream.count)
        yield from unpack(name, inner, budget, depth=depth + 1)


def _member(name: str, opened: Callable[[], Pieces], budget: Budget, depth: int) -> Opened:
    """Yield the content of an archive's member; an error in it ends the archive only if a limit is exhausted."""
    try:
        yield from unpack(name, opened(), budget, depth=depth + 1)
    except ExhaustedError:
        raise
    except Exception as error:
        yield name, error


def _unzip(name: str, stream: Pieces, budget: Budget, file: BinaryIO | None, depth: int) -> Opened:
    if file is None:
        # A zip's directory is at its end. The file has no name: nothing remains of it, however this ends.
        with tempfile.TemporaryFile(prefix="procwire-") as copy:
            while piece := stream.read():
                copy.write(piece)
            yield from _unzip(name, stream, budget, cast(BinaryIO, copy), depth)
        return
    found, error = members(file, budget.members_left)
    if not found and error is None:
        raise NoLogError("found an archive without members, expected logs")
    for member in found:
        budget.check_member()
        if member.is_folder:
            continue

        yield from _member(f"{name}!{member.name}", partial(_zip_member, file, member, budget), budget, depth)
    if error is not None:
        raise error


def _zip_member(file: BinaryIO, member: Member, budget: Budget) -> Pieces:
    content, packed = member.open(file)
    return Pieces(content, budget, lambda: packed.count)


class _Source:
    """Read the bytes of a tar: end where reading fails (see `error`), and limit the bytes of headers."""

    def __init__(self, stream: Pieces) -> None:
        self._stream = stream
        self._left: int | None = None
        self.error: Exception | None = None
        self.tail = b""

    def allow(self, count: int | None) -> None:
        """Return at most so many bytes from here on; None: no limit."""
        self._left = count

    def read(self, size: int) -> bytes:
        try:
            piece = b"" if self.error else self._stream.read(size)
        except Exception as error:
            self.error, piece = error, b""
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                self.error, piece = ValueError(f"found more than {_HEADER_BYTES:,} bytes before a member"), b""
        self.tail = (self.tail + piece)[-_BLOCK_BYTES:]
        return piece


def _untar(name: str, stream: Pieces, budget: Budget, depth: int) -> Opened:
    source = _Source(stream)
    broken = zeros = 0

    class Header(tarfile.TarInfo):
        """Count broken headers, which Python's reader skips, or takes for the end."""

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            nonlocal broken, zeros
            try:
                return super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError:
                # Zeros mark the end; nothing follows.
                broken += any(buf)
                zeros += len(buf) if not any(buf) else 0
                if zeros <= _PADDING_BYTES:
                    source.allow(_HEADER_BYTES)
                raise

    try:
        source.allow(_HEADER_BYTES)
        # Zeros end a tar; but another tar may follow.
        with tarfile.open(fileobj=cast(BinaryIO, source), mode="r|", tarinfo=Header, encoding="utf-8",
                          errors="surrogateescape", ignore_zeros=True) as archive:  # fmt: skip
            while member := archive.next():
                source.allow(None)
                budget.check_member()
                yield from _tar_member(f"{name}!{member.name}", archive, member, stream, budget, depth)
                _skip(archive)
                source.allow(_HEADER_BYTES)
    except Exception as error:
        if source.error is None:
            raise
        # The reader's error about the early end says less.
        raise source.error from error
    if source.error is not None:
        raise source.error
    if broken:
        raise tarfile.ReadError(f"found {broken:,} broken headers: members may be missing")
    if source.tail.strip(b"\0"):
        raise tarfile.ReadError("ended without the mark of its end: members may be missing")


class _Content:
    """Read the next bytes of a tar, up to where it is cut off: Python's reader drops the last ones before the cut."""

    def __init__(self, archive: tarfile.TarFile, size: int) -> None:
        self._archive = archive
        self._left = size

    def read(self, size: int) -> bytes:
        piece = self._archive.fileobj.read(min(size, self._left)) if self._left > 0 else b""
        if not piece and self._left > 0:
            raise tarfile.ReadError("unexpected end of data")
        self._left -= len(piece)
        return piece


def _tar_member(
    name: str, archive: tarfile.TarFile, member: tarfile.TarInfo, stream: Pieces, budget: Budget, depth: int
) -> Opened:
    if member.isfile():
        start = stream.count

        def opened() -> Pieces:
            if not member.issparse():
                return Pieces(_Content(archive, member.size))
            # Its holes occupy no bytes of the archive.
            return Pieces(archive.extractfile(member), budget, lambda: stream.count - start + _BLOCK_BYTES)

        yield from _member(name, opened, budget, depth)
    elif not member.isdir():
        what = _LEFT_OUT.get(member.type)
        unknown = ValueError(f"found a member of type {member.type!r}, expected a file")
        yield name, NotFollowed(what) if what else unknown


def _skip(archive: tarfile.TarFile) -> None:
    """Read to the next header. Python's reader does so too, but continues where there are no more bytes."""
    rest = _Content(archive, archive.offset - archive.fileobj.tell())
    while rest.read(PIECE_BYTES):
        pass
