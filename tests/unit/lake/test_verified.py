"""Data files that vouch for themselves: what is read is what was written, or an error that names the file."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_rows import BatchOf
from procwire.engine import Readable
from procwire.errors import DamageError
from procwire.lake.digested import BLOCK_BYTES, footer_digest
from procwire.lake.lake import Lake
from procwire.lake.verified import ReadableFile, check

NOISE = random.Random(7).randbytes(300_000).hex()


@pytest.fixture
def filled(lake: Lake, batch_of: BatchOf) -> Lake:
    """A lake with a file of several blocks."""
    rows = [{"record_id": number, "user_name": NOISE[120 * number : 120 * number + 120]} for number in range(5_000)]
    lake.append([batch_of(*rows)], source="a", version=0)
    return lake


def opened(lake: Lake) -> tuple[Path, Readable]:
    [file] = lake.snapshot()
    return Path(lake.table.uri, file.path), lake.readable(file)()


def test_any_part_of_a_file_is_read_as_it_is(filled: Lake) -> None:
    path, readable = opened(filled)
    content = path.read_bytes()
    assert readable.size_bytes == len(content) > 3 * BLOCK_BYTES
    chance = random.Random(3)
    for _ in range(300):
        offset = chance.randrange(len(content))
        size = chance.choice([0, 1, 100, BLOCK_BYTES, 2 * BLOCK_BYTES, len(content)])
        assert readable.read_at(offset, size) == content[offset : offset + size]
    assert readable.read_at(len(content), 10) == b""
    check(readable)
    readable.close()


def test_every_flipped_bit_is_an_error_that_names_the_file_and_the_block(filled: Lake) -> None:
    """Wherever it is, and whichever part of its block is asked for."""
    path, _ = opened(filled)
    content = path.read_bytes()
    chance = random.Random(4)
    ends = [0, 3, BLOCK_BYTES - 1, BLOCK_BYTES, len(content) - 1, len(content) - 5, len(content) - 9]
    for place in [*ends, *(chance.randrange(len(content)) for _ in range(60))]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DamageError, match=path.name) as caught:
            check(opened(filled)[1])
        if place < 3 * BLOCK_BYTES:
            assert f"block {place // BLOCK_BYTES} (bytes " in str(caught.value)
    path.write_bytes(content)
    check(opened(filled)[1])


def test_damage_elsewhere_in_a_file_is_not_met(filled: Lake) -> None:
    path, _ = opened(filled)
    content = bytearray(path.read_bytes())
    content[BLOCK_BYTES + 1] ^= 1
    path.write_bytes(content)
    _, readable = opened(filled)
    assert readable.read_at(0, BLOCK_BYTES) == bytes(content[:BLOCK_BYTES])
    with pytest.raises(DamageError, match="block 1 "):
        readable.read_at(BLOCK_BYTES - 1, 2)


def test_file_of_another_size_or_another_file_is_refused(filled: Lake) -> None:
    path, _ = opened(filled)
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    with pytest.raises(DamageError, match=r"found [\d,]+ bytes, expected"):
        opened(filled)
    other = pa.BufferOutputStream()
    pq.write_table(pq.read_table(pa.BufferReader(content)).slice(0, 100), other)
    whole = other.getvalue().to_pybytes()
    path.write_bytes(bytes(len(content) - len(whole)) + whole)
    with pytest.raises(DamageError, match="the footer is not as it was written"):
        opened(filled)
    path.unlink()
    with pytest.raises(DamageError, match="is missing"):
        opened(filled)


def test_arrow_reads_through_it_in_many_threads(filled: Lake) -> None:
    path, readable = opened(filled)
    with ReadableFile(readable) as file:
        found = pq.read_table(pa.PythonFile(file, mode="r"), use_threads=True, pre_buffer=True)
    assert found.equals(pq.read_table(path, partitioning=None))


def test_every_file_of_every_table_has_digests(filled: Lake) -> None:
    """Appended, merged and sorted ones alike."""
    for version in range(20):
        filled.append(
            [pa.Table.from_batches(filled.batches()).to_batches()[0].slice(0, 1)], source="b", version=version
        )
    filled.compact()
    names = [file.path for part in filled.all_tables() for file in part.snapshot()]
    assert names
    assert all(map(footer_digest, names))
