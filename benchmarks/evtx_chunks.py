"""EVTX chunks of real records, from which large EVTX inputs are built."""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from procwire import _core
from varied import Values, values

HEADER_BYTES = 4096
CHUNK_BYTES = 1 << 16
_CHUNK_HEADER_BYTES = 512
_MAGIC = b"**\0\0"
_UTC_TIME = re.compile(rb"(?:[0-9]\0){4}-\0(?:[0-9]\0){2}-\0(?:[0-9]\0){2} \0(?:[0-9:]\0){8}\.\0(?:[0-9]\0){3}")
_TICKS_1970 = 116_444_736_000_000_000


@dataclass(frozen=True)
class Record:
    """Locate a record in its chunk."""

    at: int
    bytes: bytes


def chunks(content: bytes) -> Iterator[bytes]:
    """Yield the chunks of a file."""
    for at in range(HEADER_BYTES, len(content), CHUNK_BYTES):
        chunk = content[at : at + CHUNK_BYTES]
        if chunk.startswith(b"ElfChnk\0"):
            yield chunk


def records(chunk: bytes) -> Iterator[Record]:
    """Yield the records of a chunk, in order."""
    at = _CHUNK_HEADER_BYTES
    while chunk[at : at + 4] == _MAGIC:
        (size,) = struct.unpack_from("<I", chunk, at + 4)
        yield Record(at, chunk[at : at + size])
        at += size


def count_events(chunk: bytes) -> tuple[int, int]:
    """Return the number of records of a chunk, and of event 3 among them."""
    _, account = _core.evtx_chunk("chunk", chunk, 0)
    return account["records"], account["events"]


def dense(chunk: bytes) -> bytes | None:
    """Return a chunk full of event 3, or None if it has fewer than two such records.

    It has the records up to the first of event 3, whose templates the others share, then copies of those without a
    template of their own.
    """
    everything = list(records(chunk))
    starts = _events(chunk)
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


def _events(chunk: bytes) -> Mapping[int, Mapping[str, Any]]:
    """Return the rows of event 3, by the offset of their record."""
    import pyarrow as pa

    batches, _ = _core.evtx_chunk("chunk", chunk, 0)
    return {row["source_offset"]: row for batch in batches for row in pa.record_batch(batch).to_pylist()}


def _defines_template(record: Record) -> bool:
    """Return whether a record contains a template's definition: then it cannot be moved."""
    at = 0
    while (at := record.bytes.find(b"\x0c\x01", at)) >= 0:
        if at + 10 <= len(record.bytes):
            (offset,) = struct.unpack_from("<I", record.bytes, at + 6)
            if offset == record.at + at + 10:
                return True
        at += 1
    return False


def _assemble(chunk: bytes, kept: list[bytes]) -> bytes:
    """Return a chunk of these records; its header is correct except for numbers and checksums."""
    body = b"".join(kept)
    header = bytearray(chunk[:_CHUNK_HEADER_BYTES])
    last_at = _CHUNK_HEADER_BYTES + len(body) - len(kept[-1])
    struct.pack_into("<2I", header, 44, last_at, _CHUNK_HEADER_BYTES + len(body))
    return bytes(header + body).ljust(CHUNK_BYTES, b"\0")


Patch = Callable[[bytearray, Values], None]


class VariedChunk:
    """Produce variants of a real chunk with other values, each well-formed."""

    def __init__(self, chunk: bytes) -> None:
        everything = list(records(chunk))
        rows = _events(chunk)
        self._chunk = chunk
        self._patches = [list(_patches(record, rows.get(record.at))) for record in everything]
        self._used = everything[-1].at + len(everything[-1].bytes)
        self.records = len(everything)
        self.events = len(rows)

    def filled(self, first_number: int) -> bytes:
        """Return the chunk; its first record has the values of this number."""
        chunk = bytearray(self._chunk)
        for number, patches in enumerate(self._patches, start=first_number):
            varied = values(number)
            for patch in patches:
                patch(chunk, varied)
        self._seal(chunk, values(first_number).record_id)
        return bytes(chunk)

    def _seal(self, chunk: bytearray, first: int) -> None:
        last = first + self.records - 1
        struct.pack_into("<4Q", chunk, 8, first, last, first, last)
        struct.pack_into("<I", chunk, 52, zlib.crc32(memoryview(chunk)[_CHUNK_HEADER_BYTES : self._used]))
        struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[:120] + chunk[128:_CHUNK_HEADER_BYTES]))


def _patches(record: Record, row: Mapping[str, Any] | None) -> Iterator[Patch]:
    yield _packed("<Q", record.at + 8, _record_id)
    yield _packed("<Q", record.at + 16, _ticks)
    # In `System` the time, of which the lower bytes differ from the header's, is followed by Sysmon's
    # process and thread and then by the record's number.
    system = b"(?s)(?=.{5}" + re.escape(record.bytes[21:24]) + b".{8}" + re.escape(record.bytes[8:16]) + b")"
    for match in re.finditer(system, record.bytes):
        yield _packed("<Q", record.at + match.start(), _ticks)
        yield _packed("<Q", record.at + match.start() + 16, _record_id)
    for match in _UTC_TIME.finditer(record.bytes):
        yield _text(record.at + match.start(), lambda varied: varied.utc_time)
    if row is not None:
        yield from _event_patches(record, row)


def _event_patches(record: Record, row: Mapping[str, Any]) -> Iterator[Patch]:
    guid = uuid.UUID(row["process_guid"]).bytes_le
    for match in re.finditer(b"(?s)" + re.escape(guid + struct.pack("<I", row["process_id"])), record.bytes):
        at = record.at + match.start()
        yield _packed("<H", at + 14, lambda varied: int(varied.guid_tail, 16))
        yield _packed("<I", at + 16, lambda varied: varied.process_id)
    # Values are packed one after the other: address, host name, port. IPv6 is written in a form of its own.
    before_port = _utf16(row["src_ip"]) + b"(?:\0\0)?" + _utf16(row["src_host_name"] or "") + b"(?:\0\0)?"
    pattern = b"(?s)" + before_port + b"(?=" + re.escape(struct.pack("<H", row["src_port"])) + b")"
    for match in re.finditer(pattern, record.bytes):
        yield _packed("<H", record.at + match.end(), lambda varied: varied.source_port)


def _utf16(text: str) -> bytes:
    return re.escape(text.encode("utf-16-le"))


def _packed(layout: str, at: int, value: Callable[[Values], int]) -> Patch:
    pack = struct.Struct(layout).pack_into
    return lambda chunk, varied: pack(chunk, at, value(varied))


def _text(at: int, value: Callable[[Values], str]) -> Patch:
    def patch(chunk: bytearray, varied: Values) -> None:
        encoded = value(varied).encode("utf-16-le")
        chunk[at : at + len(encoded)] = encoded

    return patch


def _record_id(varied: Values) -> int:
    return varied.record_id


def _ticks(varied: Values) -> int:
    return _TICKS_1970 + varied.time_ms * 10_000


def file_header(chunk_count: int) -> bytes:
    """Return a file header for a number of chunks (the 16-bit count wraps, as in real files)."""
    header = bytearray(HEADER_BYTES)
    layout = "<8s3QIHHHH"
    last, wrapped = chunk_count - 1, chunk_count & 0xFFFF
    struct.pack_into(layout, header, 0, b"ElfFile\0", 0, last, 1, 128, 1, 3, HEADER_BYTES, wrapped)
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    return bytes(header)
