"""Reading of small files that users write or download, up to a size limit."""

from __future__ import annotations

import errno
import os
import select
import stat
from io import FileIO
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["read_bounded"]

_PIECE_BYTES = 1 << 20
_WAIT_S = 10.0


def read_bounded(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Return the content of a file of at most `most_bytes` bytes, or of a pipe that is never silent for 10 seconds.

    Raises UsageError for a longer file, OSError for one that cannot be read: a folder, a socket, a silent pipe.
    """
    with FileIO(os.fspath(path), opener=_open) as file:
        is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        pieces: list[bytes] = []
        left = most_bytes + 1
        while left:
            if not is_file:
                _wait(file)
            piece = file.read(min(_PIECE_BYTES, left))
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            left -= len(piece)
    raise UsageError(f"{Path(path)}: found more than {most_bytes:,} bytes, expected {most_bytes:,} at most")


def _open(path: str, flags: int) -> int:
    # Do not block on a named pipe without a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _wait(file: FileIO) -> None:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    if not poll.poll(_WAIT_S * 1000):
        raise TimeoutError(errno.ETIMEDOUT, f"nothing came for {_WAIT_S:g} s", file.name)
