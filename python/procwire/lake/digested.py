"""Data files that prove their content: the footer holds a digest of each block, the file name a digest of the footer.

A commit names the file, and the commits form a chain (`chain`): so one short digest, the chain's head, pins every byte.
"""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import pyarrow as pa
from blake3 import blake3

__all__ = ["BLOCK_BYTES", "DIGEST_BYTES", "METADATA_KEY", "DigestingStream", "block_digests", "footer_digest", "named"]

BLOCK_BYTES = 64 << 10
"""Size of the blocks that are checked: the least that is read to check a single byte."""
DIGEST_BYTES = 32
METADATA_KEY = b"procwire.blocks"
_KIND = b"blake3-64k:"
_NAMED = re.compile(r"-([0-9a-f]{64})\.parquet")


class DigestingStream(io.RawIOBase):
    """Pass a Parquet file on to a stream and digest it: the body in blocks, the footer as one block."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._digests: list[bytes] = []
        self._digest, self._filled = blake3(), 0
        self._footer: Any = None
        self._size = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._size

    def write(self, data: Any) -> int:
        """Write and digest bytes; return their number."""
        view = memoryview(data).cast("B")
        self._stream.write(data)
        self._size += len(view)
        if self._footer is not None:
            self._footer.update(view)
            return len(view)
        rest = view
        while len(rest):
            piece = rest[: BLOCK_BYTES - self._filled]
            self._digest.update(piece)
            self._filled += len(piece)
            rest = rest[len(piece) :]
            if self._filled == BLOCK_BYTES:
                self._end_block()
        return len(view)

    def end_body(self) -> dict[bytes, bytes]:
        """Treat everything written from now on as the footer; return the metadata that it must have."""
        if self._filled:
            self._end_block()
        self._footer = blake3()
        return {METADATA_KEY: _KIND + base64.b64encode(b"".join(self._digests))}

    @property
    def footer_digest(self) -> str:
        """Return the BLAKE3 of the footer, its length and the closing magic bytes, as hexadecimal text."""
        digest: str = self._footer.hexdigest()
        return digest

    def _end_block(self) -> None:
        self._digests.append(self._digest.digest())
        self._digest, self._filled = blake3(), 0


def named(path: str, digest: str) -> str:
    """Return the path of a data file with the digest of its footer in its name."""
    return f"{path.removesuffix('.parquet')}-{digest}.parquet"


def footer_digest(path: str) -> str | None:
    """Return the digest in a file's name; None for files of older lakes, which have none."""
    found = _NAMED.search(path)
    return found[1] if found else None


def block_digests(metadata: dict[bytes, bytes] | None) -> list[bytes] | None:
    """Return the digests of a file's blocks, from the metadata of its footer; None if it has none."""
    value = (metadata or {}).get(METADATA_KEY)
    if value is None or not value.startswith(_KIND):
        return None
    joined = base64.b64decode(value.removeprefix(_KIND))
    return [joined[start : start + DIGEST_BYTES] for start in range(0, len(joined), DIGEST_BYTES)]
