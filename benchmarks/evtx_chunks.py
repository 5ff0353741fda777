"""EVTX chunks made of real records: what large inputs are built from."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from procwire import _core

HEADER_BYTES = 4096
CHUNK_BYTES = 1 << 16
_CHUNK_HEADER_BYTES = 512
_MAGIC = b"**\0\0"


@dataclass(frozen=True)
class Record:
    """A record in its chunk."""

    at: int
    bytes: bytes


def chunks(path: Path) -> Iterator[bytes]:
    """The chunks of a file."""
    content = path.read_bytes()
    for at in range(HEADER_BYTES, len(content), CHUNK_BYTES):
        chunk = content[at : at + CHUNK_BYTES]
        if chunk.startswith(b"ElfChnk\0"):
            yield chunk


def records(chunk: bytes) -> Iterator[Record]:
    """The records of a chunk, in order."""
    at = _CHUNK_HEADER_BYTES
    while chunk[at : at + 4] == _MAGIC:
        (size,) = struct.unpack_from("<I", chunk, at + 4)
        yield Record(at, chunk[at : at + size])
        at += size


def count_events(chunk: bytes) -> tuple[int, int]:
    """Records of a chunk, and those of event 3 among them."""
    _, account = _core.evtx_chunk("chunk", chunk, 0)
    return account["records"], account["events"]


def dense(chunk: bytes) -> bytes | None:
    """A chunk full of event 3: its records up to the first one, whose templates the others share, then copies
    of those that bring no template of their own. None if it has no two such records."""
    everything = list(records(chunk))
    starts = _event_starts(chunk)
    first = next((index for index, record in enumerate(everything) if record.at in starts), None)
    if first is None:
        return None
    kept = [record.bytes for record in everything[: first + 1]]
    after = [record for record in everything[first + 1 :] if record.at in starts]
    shared = [record.bytes for record in after if not _defines_template(record)]
    if not shared:
        return None
    used = sum(map(len, kept))
    turn = 0
    while used + len(shared[turn % len(shared)]) <= CHUNK_BYTES - _CHUNK_HEADER_BYTES:
        kept.append(shared[turn % len(shared)])
        used += len(kept[-1])
        turn += 1
    return _assemble(chunk, kept)


def _event_starts(chunk: bytes) -> set[int]:
    import pyarrow as pa

    batch, _ = _core.evtx_chunk("chunk", chunk, 0)
    return set(pa.record_batch(batch)["source_offset"].to_pylist()) if batch is not None else set()


def _defines_template(record: Record) -> bool:
    """Whether a template's definition stands in line: then the record cannot be moved."""
    at = 0
    while (at := record.bytes.find(b"\x0c\x01", at)) >= 0:
        if at + 10 <= len(record.bytes):
            (offset,) = struct.unpack_from("<I", record.bytes, at + 6)
            if offset == record.at + at + 10:
                return True
        at += 1
    return False


def _assemble(chunk: bytes, kept: list[bytes]) -> bytes:
    """A chunk of these records, renumbered, with its header and checksums right."""
    first_number = struct.unpack_from("<Q", chunk, _CHUNK_HEADER_BYTES + 8)[0]
    body = bytearray()
    last_at = 0
    for number, record in enumerate(kept, start=first_number):
        last_at = _CHUNK_HEADER_BYTES + len(body)
        body += record[:8] + struct.pack("<Q", number) + record[16:]
    header = bytearray(chunk[:_CHUNK_HEADER_BYTES])
    last = first_number + len(kept) - 1
    struct.pack_into("<4Q", header, 8, first_number, last, first_number, last)
    struct.pack_into("<3I", header, 44, last_at, _CHUNK_HEADER_BYTES + len(body), zlib.crc32(bytes(body)))
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120] + header[128:])))
    return bytes(header + body).ljust(CHUNK_BYTES, b"\0")


def file_header(chunk_count: int) -> bytes:
    """A file header for so many chunks (its 16-bit count wraps, as real ones do)."""
    header = bytearray(HEADER_BYTES)
    struct.pack_into(
        "<8s3QIHHHH", header, 0, b"ElfFile\0", 0, chunk_count - 1, 1, 128, 1, 3, HEADER_BYTES, chunk_count & 0xFFFF
    )
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    return bytes(header)
