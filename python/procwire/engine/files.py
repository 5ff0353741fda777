"""Files that DuckDB reads: procwire serves them read-only, each under a unique name.

DuckDB gets no path and opens no file itself. A connection has its own file system under the scheme `procwire`; it
contains only files that were added, and nothing in it can be written, created or removed.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import duckdb

__all__ = ["SCHEME", "LocalFile", "Readable", "Served"]

SCHEME = "procwire"
_UNCHANGED = datetime(1970, 1, 1, tzinfo=UTC)


class Readable(Protocol):
    """An open file that several threads may read at the same time."""

    @property
    def size_bytes(self) -> int:
        """Return the file's size in bytes."""
        ...

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only at the end. Raises OSError or LakeError."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class LocalFile:
    """Read a local file at any offset. Raises OSError if it cannot be opened."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size_bytes = os.fstat(self._handle).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on; fewer only at the end."""
        found = os.pread(self._handle, size, offset)
        # One call returns 2 GiB at most, and a network file system may return less than requested.
        while len(found) < size and (more := os.pread(self._handle, size - len(found), offset + len(found))):
            found += more
        return found

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


class Served:
    """Serve the files of one connection: `add` returns a name for each, which the connection's SQL can read."""

    def __init__(self) -> None:
        # Unguessable, so that no SQL can name the files of another connection.
        self.root = f"{SCHEME}://{secrets.token_hex(8)}/"
        self._openers: dict[str, Callable[[], Readable]] = {}
        self._sizes: dict[str, int] = {}

    def add(self, opener: Callable[[], Readable], *, folder: str = "") -> str:
        """Return a new name for a Parquet file, which `opener` opens whenever it is read.

        folder: part of the name that describes its rows, such as `day=2024-03-01`; empty for none.
        """
        name = f"{self.root}{folder and folder + '/'}{len(self._openers)}.parquet"
        self._openers[name] = opener
        return name

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read the files, including files added later."""
        # Import here: it takes 60 ms.
        from fsspec.spec import AbstractFileSystem

        served = self

        class ReadOnly(AbstractFileSystem):  # type: ignore[misc]
            """Implement what DuckDB requests of a file system; everything else raises."""

            protocol = SCHEME
            cachable = False

            def open(self, path: str, mode: str = "rb", **_: Any) -> _Handle:
                return served._open(path, mode)

            def info(self, path: str, **_: Any) -> dict[str, Any]:
                return {"name": path, "size": served._size(path), "type": "file"}

            def modified(self, path: str) -> datetime:
                served._size(path)
                return _UNCHANGED

            def glob(self, path: str, **_: Any) -> list[str]:
                return [path] if path in served._openers else []

            def exists(self, path: str, **_: Any) -> bool:
                return path in served._openers

            def isfile(self, path: str) -> bool:
                return path in served._openers

            def isdir(self, _path: str) -> bool:
                return False

            def ls(self, *_: Any, **__: Any) -> list[Any]:
                return []

            def _refuse(self, path: str, *_: Any, **__: Any) -> Any:
                raise _refusal(path)

            mkdir = makedirs = rmdir = rm = rm_file = _rm = mv = cp_file = copy = touch = pipe_file = _refuse
            put_file = get_file = _refuse

        connection.register_filesystem(ReadOnly())

    def _opener(self, path: str) -> Callable[[], Readable]:
        if path not in self._openers:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._openers[path]

    def _open(self, path: str, mode: str) -> _Handle:
        if mode != "rb":
            raise _refusal(path)
        handle = _Handle(self._opener(path)())
        self._sizes[path] = handle.size_bytes
        return handle

    def _size(self, path: str) -> int:
        if path not in self._sizes:
            self._open(path, "rb").close()
        return self._sizes[path]


class _Handle:
    """Implement what DuckDB requests of an open file. Threads share it, and each has its own position."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.size_bytes = source.size_bytes
        self._positions: dict[int, int] = {}

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size_bytes}[whence]
        self._positions[threading.get_ident()] = start + offset
        return start + offset

    def tell(self) -> int:
        return self._positions.get(threading.get_ident(), 0)

    def read(self, size: int = -1) -> bytes:
        start = self.tell()
        wanted = max(self.size_bytes - start, 0)
        found = self._source.read_at(start, wanted if size < 0 else min(size, wanted))
        self._positions[threading.get_ident()] = start + len(found)
        return found

    def write(self, *_: Any) -> int:
        raise _refusal(SCHEME)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._source.close()


def _refusal(path: str) -> OSError:
    return OSError(errno.EROFS, os.strerror(errno.EROFS), path)
