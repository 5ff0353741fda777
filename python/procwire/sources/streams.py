"""Read streams of bytes: in pieces as they arrive, recognised as packed, unpacked within limits."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, Protocol, cast

import pyarrow as pa

from procwire.sources.limits import Budget

__all__ = ["PIECE_BYTES", "Packing", "Pieces", "inflated", "packing_of", "unlzma", "unpacked"]

Packing = Literal["gzip", "zstd", "bzip2", "xz", "zip", "tar"]

PIECE_BYTES = 1 << 16
_DECODER_BYTES = 256 << 20
"""Memory that a stream may ask of its decoder; `xz -9` asks for 65 MiB."""
_MAGICS: dict[bytes, Packing] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
_TAR_AT, _TAR = 257, b"ustar"
_TAR_MODE = slice(100, 108)


def packing_of(head: bytes, *, at_end: bool = False) -> Packing | Literal["unsure"] | None:
    """Return the packing that an input's first bytes show; None for none; `unsure` if more bytes are needed.

    Depends on the bytes alone, not on how many have arrived: so a slow pipe is recognised as a file is. A tar's magic
    follows its first name; to delay no log for so many bytes, the mode before it is checked too.
    """
    for magic, packing in _MAGICS.items():
        if head.startswith(magic):
            return packing
    mode, mark = head[_TAR_MODE], head[_TAR_AT : _TAR_AT + len(_TAR)]
    if mode[:1] in (b"\x80", b"\xff") or all(byte in b"01234567 \0" for byte in mode):
        if mark == _TAR:
            return "tar"
        if _TAR.startswith(mark) and not at_end:
            return "unsure"
    return "unsure" if not at_end and any(magic.startswith(head) for magic in _MAGICS) else None


class Pieces(io.RawIOBase):
    """Return the bytes that have arrived: of a pipe without waiting for more, of damaged data up to the damage.

    The error of the damage follows the bytes before it, instead of replacing them.

    budget, packed: hold what is read to the limits of unpacking; `packed` counts the bytes that it was unpacked from.
    """

    def __init__(self, file: object, budget: Budget | None = None, packed: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self._file = cast(io.BufferedReader, file)
        self._read = getattr(file, "read1", self._file.read)
        self._budget = budget
        self._packed = packed
        self._head = b""
        self._error: Exception | None = None
        self._given = 0
        self.count = 0
        """Bytes that were read from here so far."""

    def packing(self) -> Packing | None:
        """Return the packing that the first bytes show; None for none. Waits for as many bytes as it takes."""
        head = self.head(lambda head: packing_of(head) == "unsure")
        return cast("Packing | None", packing_of(head, at_end=True))

    def head(self, needs_more: Callable[[bytes], bool]) -> bytes:
        """Return the first bytes, without consuming them; waits for more as long as `needs_more` returns true."""
        while needs_more(self._head):
            try:
                piece = self._next(PIECE_BYTES) if self._error is None else b""
            except Exception as error:
                # `read` raises it in its turn.
                self._error, piece = error, b""
            if not piece:
                break
            self._head += piece
        return self._head

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the bytes that have arrived, at most `size`; empty at the end. Raises the error of any damage."""
        size = min(size, PIECE_BYTES) if size >= 0 else PIECE_BYTES
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
        elif self._error is not None:
            raise self._error
        else:
            piece = self._next(size)
        self.count += len(piece)
        return piece

    def _next(self, size: int) -> bytes:
        piece = self._read(size)
        if self._budget is not None:
            self._given += len(piece)
            self._budget.take(len(piece))
            self._budget.check_ratio(self._packed(), self._given)
        return piece

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`; return the number of bytes, 0 at the end."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Codec(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """Adapt zlib's decompressor to the interface of those of bz2 and lzma."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class _Decoded:
    """Decompress a file, never more at a time than is requested.

    is_repeated: another stream may follow, and nothing else: data that Python's own readers leave unread silently is an
    error.
    """

    def __init__(self, file: Pieces, codec: Callable[[], _Codec], *, is_repeated: bool, start: bytes = b"") -> None:
        self._file = file
        self._new = codec
        self._codec = codec()
        self._is_repeated = is_repeated
        self._input = start

    def read(self, size: int) -> bytes:
        while not self._codec.eof or self._follows():
            data, self._input = self._input, b""
            at_end = False
            if not data and self._codec.needs_input:
                data = self._file.read(PIECE_BYTES)
                at_end = not data
            if piece := self._codec.decompress(data, size):
                return piece
            if at_end and not self._codec.eof:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        return b""

    def _follows(self) -> bool:
        """Return whether another stream begins; zeros may fill the space between."""
        if not self._is_repeated:
            return False
        rest = self._codec.unused_data.lstrip(b"\0")
        while not rest:
            piece = self._file.read(PIECE_BYTES)
            if not piece:
                return False
            rest = piece.lstrip(b"\0")
        self._codec, self._input = self._new(), rest
        return True


def unpacked(file: Pieces, packing: Literal["gzip", "zstd", "bzip2", "xz"]) -> object:
    """Return a file of the content of a compressed one."""
    if packing == "zstd":
        return pa.CompressedInputStream(pa.PythonFile(cast(BinaryIO, file), mode="r"), "zstd")
    return _Decoded(file, _CODECS[packing], is_repeated=True)


def inflated(file: Pieces, packing: Literal["deflate", "bzip2"]) -> object:
    """Return a file of the content of one compressed stream, as the members of a zip are."""
    return _Decoded(file, _CODECS[packing], is_repeated=False)


def unlzma(file: Pieces, properties: bytes, size: int | None) -> object:
    """Return a file of the content of LZMA without a header.

    size: unpacked bytes, if the stream does not mark its end.
    """
    head = properties + (b"\xff" * 8 if size is None else size.to_bytes(8, "little"))
    return _Decoded(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DECODER_BYTES),
                    is_repeated=False, start=head)  # fmt: skip


_CODECS: dict[str, Callable[[], _Codec]] = {
    "gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(-15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DECODER_BYTES),
}
