"""The identity of a log: the BLAKE3 of its bytes as the reader gets them."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import BinaryIO

from blake3 import blake3

__all__ = ["UpToError", "copied", "digest_of"]

_PIECE_BYTES = 1 << 18


def digest_of(path: str, stopped: Event | None = None) -> str:
    """Return the BLAKE3 of a file as hexadecimal text.

    stopped: set it to stop early. Raises OSError, without the path in its message, also when stopped.
    """
    digest, piece = blake3(), bytearray(_PIECE_BYTES)
    try:
        with Path(path).open("rb", buffering=0) as file:
            while size := file.readinto(piece):
                if stopped and stopped.is_set():
                    raise InterruptedError("stopped")
                digest.update(memoryview(piece)[:size])
    except OSError as error:
        raise OSError(error.strerror or str(error)) from error
    return digest.hexdigest()


def copied(source: BinaryIO, file: BinaryIO) -> tuple[str, Exception | None]:
    """Copy a stream to a file; return the digest of what was copied, and the error that ended unpacking, if any."""
    digest = blake3()
    error: Exception | None = None
    try:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
    except Exception as found:
        error = found
    return digest.hexdigest(), error


class UpToError:
    """Read a file from its beginning; raise at its end the error that ended unpacking, if there was one."""

    def __init__(self, file: BinaryIO, error: Exception | None) -> None:
        self._file = file
        self._error = error
        file.seek(0)

    def read(self, size: int) -> bytes:
        """Return the next bytes. Raises the error in place of the end of file."""
        piece = self._file.read(size)
        if not piece and self._error is not None:
            raise self._error
        return piece
