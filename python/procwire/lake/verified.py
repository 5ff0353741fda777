"""Reading of the lake's data files, with every byte checked."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from blake3 import blake3

from procwire.engine import Readable
from procwire.errors import DamageError
from procwire.lake.digested import BLOCK_BYTES, block_digests, footer_digest

__all__ = ["ReadableFile", "check", "damage", "open_verified"]

_TAIL_BYTES = 8
_MARK = b"PAR1"


def open_verified(files: pyarrow.fs.FileSystem, path: str, size_bytes: int, name: str = "") -> Readable:
    """Open a data file so that each block is checked when it is read; the caller closes it.

    files, path: where it is. size_bytes: its size according to the table. name: for messages, `path` if empty. A file
    without a digest in its name is from an older lake: only its size is checked.

    Raises DamageError, which names the file, if it is missing or has another size or footer.
    """
    name = name or path
    with damage(name):
        source = files.open_input_file(path)
        try:
            if source.size() != size_bytes:
                raise DamageError(f"{name}: found {source.size():,} bytes, expected {size_bytes:,}")
            digest = footer_digest(path)
            return _Plain(source, name) if digest is None else _Verified(source, name, digest)
        except BaseException:
            source.close()
            raise


def check(file: Readable) -> None:
    """Read an entire file. Raises DamageError at the first block that is not as it was written."""
    for offset in range(0, file.size_bytes, BLOCK_BYTES):
        file.read_at(offset, BLOCK_BYTES)


@contextmanager
def damage(name: str) -> Iterator[None]:
    """Raise errors of reading a file as DamageError, in one line that names the file."""
    try:
        yield
    except DamageError:
        raise
    except FileNotFoundError as error:
        raise DamageError(f"{name}: is missing") from error
    except PermissionError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        # ValueError: names that are not UTF-8.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamageError(f"{name}: cannot be read: {reason}") from error


class ReadableFile(io.RawIOBase):
    """Wrap a Readable as a Python file for Arrow, which reads it from several threads: each has its own position."""

    def __init__(self, readable: Readable) -> None:
        self._readable = readable
        self._here = threading.local()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return this thread's position."""
        position: int = getattr(self._here, "position", 0)
        return position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move this thread's position, and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._readable.size_bytes}[whence]
        self._here.position = start + offset
        return self.tell()

    def read(self, size: int | None = -1) -> bytes:
        """Read at this thread's position. Raises DamageError for bytes that are not as written."""
        rest = self._readable.size_bytes - self.tell()
        piece = self._readable.read_at(self.tell(), rest if size is None or size < 0 else min(size, rest))
        self._here.position = self.tell() + len(piece)
        return piece

    def close(self) -> None:
        """Close the Readable."""
        if not self.closed:
            self._readable.close()
        super().close()


class _Plain:
    """Read a file without checks of its content."""

    def __init__(self, source: pa.NativeFile, name: str) -> None:
        self._source = source
        self._name = name
        self.size_bytes: int = source.size()

    def read_at(self, offset: int, size: int) -> bytes:
        with damage(self._name):
            found: bytes = self._source.read_at(max(0, min(size, self.size_bytes - offset)), offset)
        return found

    def close(self) -> None:
        self._source.close()


class _Verified(_Plain):
    """Read a file with digests: its footer is checked and held when it is opened, each block when it is read."""

    def __init__(self, source: pa.NativeFile, name: str, digest: str) -> None:
        super().__init__(source, name)
        self._footer = self._checked_footer(digest)
        self._body_bytes = self.size_bytes - len(self._footer)
        digests = block_digests(pq.read_metadata(pa.BufferReader(self._footer)).metadata)
        if digests is None or len(digests) != -(-self._body_bytes // BLOCK_BYTES):
            raise DamageError(f"{name}: found no digests of its {self._body_bytes:,} bytes in the footer")
        self._digests = digests
        # Several small columns lie in one block.
        self._last: tuple[int, bytes] = (-1, b"")

    def read_at(self, offset: int, size: int) -> bytes:
        end = min(offset + size, self.size_bytes)
        if end <= offset:
            return b""
        if offset >= self._body_bytes:
            return self._footer[offset - self._body_bytes : end - self._body_bytes]
        first, last = offset // BLOCK_BYTES, (min(end, self._body_bytes) - 1) // BLOCK_BYTES
        known, block = self._last
        read = block if known == first == last else self._blocks(first, last)
        start = first * BLOCK_BYTES
        piece = read[offset - start : min(end, self._body_bytes) - start]
        return piece + self._footer[: end - self._body_bytes] if end > self._body_bytes else piece

    def _blocks(self, first: int, last: int) -> bytes:
        """Read consecutive blocks, and check each."""
        start = first * BLOCK_BYTES
        size = min((last + 1) * BLOCK_BYTES, self._body_bytes) - start
        read = super().read_at(start, size)
        view = memoryview(read)
        for number in range(first, last + 1):
            at = (number - first) * BLOCK_BYTES
            block = view[at : at + BLOCK_BYTES]
            if blake3(block).digest() != self._digests[number]:
                place = number * BLOCK_BYTES
                end = min(place + BLOCK_BYTES, self._body_bytes) - 1
                fault = f"block {number} (bytes {place:,} to {end:,}) is not as it was written"
                raise DamageError(f"{self._name}: {fault}")
        at = (last - first) * BLOCK_BYTES
        self._last = last, bytes(view[at:])
        return read

    def _checked_footer(self, digest: str) -> bytes:
        tail = super().read_at(self.size_bytes - _TAIL_BYTES, _TAIL_BYTES)
        size = int.from_bytes(tail[:4], "little") + _TAIL_BYTES
        if tail[4:] != _MARK or size > self.size_bytes:
            raise DamageError(f"{self._name}: the end is not as it was written")
        footer = super().read_at(self.size_bytes - size, size)
        if blake3(footer).hexdigest() != digest:
            raise DamageError(f"{self._name}: the footer is not as it was written")
        return footer
