"""What a log is known by: the BLAKE3 of its bytes as the reader gets them."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Event
from typing import BinaryIO

from blake3 import blake3

from procwire.sources.inputs import UNPACK_ERRORS

__all__ = ["UpToError", "copied", "digest_of"]

_PIECE_BYTES = 1 << 18


def digest_of(path: str, stopped: Event | None = None) -> str:
    """Of a file. stopped: ends it early. Raises OSError, without the path in it, also if it was stopped."""
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
    """Copy to a file; the digest, and what went wrong in unpacking the rest."""
    digest, error = blake3(), None
    try:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
    except UNPACK_ERRORS as found:
        error = found
    file.flush()
    return digest.hexdigest(), error


class UpToError(io.FileIO):
    """A file that ends in the error that unpacking it ended in."""

    def __init__(self, path: str, error: Exception) -> None:
        super().__init__(path)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(-1 if size is None else size)
        if not piece:
            raise self._error
        return piece
