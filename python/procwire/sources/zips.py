"""Read the members of a zip: one by one, from its directory, within limits.

Python's own reader decodes no name that is not text, holds a directory of any size, and unpacks some methods without a
limit.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import BadZipFile

from procwire.sources.streams import Pieces, inflated, unlzma, unpacked

__all__ = ["Member", "members"]

_END = struct.Struct("<4s4H2LH")
_LOCAL_MAGIC, _ENTRY_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64_MAGIC, _LOCATOR64_MAGIC = b"PK\x06\x06", b"PK\x06\x07"
_MAX_COMMENT = 1 << 16
_COUNTED = 1 << 16
# Deflated, as some packers do with folders.
_NOTHING_PACKED = 2
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_ENCRYPTED, _END_MARKED, _UTF8 = 0x1, 0x2, 0x800
_MAX32 = 0xFFFF_FFFF


@dataclass(slots=True)
class Member:
    """Hold an entry of the directory."""

    name: str
    """As `os.fsdecode` gives it: what is no text stays what it is."""
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    """Where its local header stands in the file."""
    end: int = 0
    """Where the next one begins."""

    @property
    def is_folder(self) -> bool:
        """Return whether it stands for a folder only."""
        return self.name.endswith("/") and not self.size and self.packed <= _NOTHING_PACKED

    def open(self, file: BinaryIO) -> tuple[object, Pieces]:
        """Return its content, and the packed bytes behind it. Raises BadZipFile if it cannot be unpacked."""
        if self.flags & _ENCRYPTED:
            raise BadZipFile("password required: unpack it first")
        file.seek(self.start)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise BadZipFile("found other bytes where the member should begin")
        *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
        start = self.start + _LOCAL.size + name_bytes + extra_bytes
        if start + self.packed > self.end:
            raise BadZipFile("overlaps the next member")
        packed = Pieces(_Part(file, start, self.packed))
        return _Checked(self._decoded(packed), self), packed

    def _decoded(self, packed: Pieces) -> object:
        match self.method:
            case 0:
                return packed
            case 8:
                return inflated(packed, "deflate")
            case 12:
                return inflated(packed, "bzip2")
            case 14:
                # The version of the packer, and the size of the properties.
                head = b"".join(packed.read(1) for _ in range(9))
                return unlzma(packed, head[4:], None if self.flags & _END_MARKED else self.size)
            case 93:
                return unpacked(packed, "zstd")
        raise BadZipFile(f"found compression method {self.method}, expected stored, deflate, bzip2, LZMA or zstd")


class _Part:
    """Read a part of a file that others may read at the same time."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._at = start
        self._end = start + size

    def read(self, size: int) -> bytes:
        self._file.seek(self._at)
        piece = self._file.read(min(size, self._end - self._at))
        self._at += len(piece)
        return piece


class _Checked:
    """Read a member's content, and check it against the directory."""

    def __init__(self, file: object, member: Member) -> None:
        self._pieces = Pieces(file)
        self._member = member
        self._crc = 0

    def read(self, size: int) -> bytes:
        piece = self._pieces.read(size)
        self._crc = zlib.crc32(piece, self._crc)
        if not piece and self._pieces.count != self._member.size:
            raise BadZipFile(f"found {self._pieces.count:,} bytes, expected {self._member.size:,}")
        if not piece and self._crc != self._member.crc:
            raise BadZipFile("Bad CRC-32: its bytes are not those that were packed")
        return piece


def members(file: BinaryIO, most: int) -> tuple[list[Member], Exception | None]:
    """Return the directory's members in order, at most one more than `most`; and the error that ended it, or None.

    Raises BadZipFile if there is no directory.
    """
    start, end, before, count = _directory(file)
    at = start
    found: list[Member] = []
    error: Exception | None = None
    while at < end and len(found) <= most:
        file.seek(at)
        head = file.read(_ENTRY.size)
        if len(head) < _ENTRY.size or not head.startswith(_ENTRY_MAGIC):
            error = BadZipFile(f"found other bytes at offset {at} of its directory, expected its next member")
            break
        (*_, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes, comment_bytes, _, _, _, offset) = (
            _ENTRY.unpack(head)
        )
        name, extra = file.read(name_bytes), file.read(extra_bytes)
        size, packed, offset = _wide(extra, size, packed, offset)
        text = name.decode("utf-8", "surrogateescape") if flags & _UTF8 else name.decode("cp437")
        found.append(Member(text, flags, method, crc, packed, size, before + offset))
        at += _ENTRY.size + name_bytes + extra_bytes + comment_bytes
    # Many packers count modulo 65,536.
    if error is None and len(found) <= most and (len(found) - count) % _COUNTED:
        error = BadZipFile(f"found {len(found):,} members in its directory, expected {count:,}: some may be missing")
    _set_ends(found, start)
    return found, error


def _directory(file: BinaryIO) -> tuple[int, int, int, int]:
    """Return start and end of the directory, the bytes before the zip, and the number of members.

    The bytes before the zip may be a program that unpacks it.
    """
    size = file.seek(0, io.SEEK_END)
    tail_at = file.seek(max(size - _END.size - _MAX_COMMENT, 0))
    tail = file.read()
    at = _end_at(tail)
    if at < 0 or len(tail) < at + _END.size:
        raise BadZipFile("found a zip without its directory, which stands at its end: it is cut off")
    *_, count, directory_bytes, directory_at, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    locator_at = at - _LOCATOR64.size
    if locator_at >= 0 and tail.startswith(_LOCATOR64_MAGIC, locator_at):
        end -= _LOCATOR64.size + _END64.size
        file.seek(max(end, 0))
        head = file.read(_END64.size)
        if not head.startswith(_END64_MAGIC):
            raise BadZipFile("found other bytes where the end of its directory should be")
        *_, count, directory_bytes, directory_at = _END64.unpack(head)
    start = end - directory_bytes
    if start < directory_at:
        raise BadZipFile("found a directory that does not fit into the file: it is cut off")
    return start, end, start - directory_at, count


def _end_at(tail: bytes) -> int:
    """Return where the end record of the directory begins, the one whose comment length fits; -1 without one.

    The comment may hold anything. If none fits: the last that resembles one.
    """
    at = last = tail.rfind(_END_MAGIC)
    while at >= 0:
        if len(tail) >= at + _END.size and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
        at = tail.rfind(_END_MAGIC, 0, at)
    return last


def _wide(extra: bytes, *sizes: int) -> Iterator[int]:
    """Yield the sizes, those of 64 bits from the extra field."""
    wide: list[int] = []
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = [number for (number,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
        at += 4 + length
    for size in sizes:
        yield wide.pop(0) if size == _MAX32 and wide else size


def _set_ends(found: list[Member], end: int) -> None:
    """Set where each member ends: at the next one, the last at the directory."""
    for member in sorted(found, key=lambda member: member.start, reverse=True):
        member.end, end = end, min(end, member.start)
