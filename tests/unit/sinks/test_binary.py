"""Parquet and Arrow: equal tables when read back, and no binary on a terminal."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_rows import BatchOf
from procwire.errors import UsageError
from procwire.event import SCHEMA
from procwire.sinks import SINKS, Terminal, open_sink, sink_for_suffix


def written(name: str, batches: list[pa.RecordBatch]) -> io.BytesIO:
    stream = io.BytesIO()
    sink = open_sink(name, stream, SCHEMA)
    for batch in batches:
        sink.write(batch)
    sink.close()
    return io.BytesIO(stream.getvalue())


def test_parquet_reads_back(batch_of: BatchOf) -> None:
    batch = batch_of({}, {"src_ip": "::1", "user_name": None})
    read = pq.ParquetFile(written("parquet", [batch, batch]))
    assert read.read() == pa.Table.from_batches([batch, batch])
    assert read.metadata.row_group(0).column(0).compression == "ZSTD"


def test_parquet_collects_row_groups(batch_of: BatchOf) -> None:
    """Small batches become row groups of 64k rows; what is left over becomes the last."""
    batch = batch_of(*[{}] * 1000)
    metadata = pq.ParquetFile(written("parquet", [batch] * 140)).metadata
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [65_536, 65_536, 8_928]


def test_parquet_without_rows_has_the_schema() -> None:
    assert pq.read_schema(written("parquet", [])) == SCHEMA


def test_arrow_reads_back(batch_of: BatchOf) -> None:
    batch = batch_of({}, {"dst_port": None})
    assert pa.ipc.open_stream(written("arrow", [batch, batch])).read_all() == pa.Table.from_batches([batch, batch])


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_terminal_refuses_binary(name: str) -> None:
    with pytest.raises(UsageError, match="expected a file or a pipe"):
        open_sink(name, io.BytesIO(), SCHEMA, Terminal(80))


def test_suffixes_choose_one_sink_each() -> None:
    suffixes = [suffix for way in SINKS.values() for suffix in way.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert sink_for_suffix(".JSONL") == "ndjson"
    assert sink_for_suffix(".txt") is None
