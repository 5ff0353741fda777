"""Write Parquet, compressed with zstd."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.sinks.protocol import Terminal

__all__ = ["ParquetSink"]

# Twice as many take a reading of event 3 past 250 MB of memory, and make the file no smaller.
_ROW_GROUP_ROWS = 64 << 10


class ParquetSink:
    """Collect small batches into row groups; the file is readable once closed."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> None:
        del terminal
        self._schema = schema
        self._writer = pq.ParquetWriter(stream, schema, compression="zstd")
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; row groups are written once they are full."""
        self._pending.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _ROW_GROUP_ROWS:
            self._flush(self._rows - self._rows % _ROW_GROUP_ROWS)

    def close(self) -> None:
        """Write the last row group and the footer."""
        if self._rows:
            self._flush(self._rows)
        self._writer.close()

    def _flush(self, rows: int) -> None:
        table = pa.Table.from_batches(self._pending, self._schema)
        self._writer.write_table(table.slice(0, rows), row_group_size=_ROW_GROUP_ROWS)
        self._pending, self._rows = table.slice(rows).to_batches(), self._rows - rows
