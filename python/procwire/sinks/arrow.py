"""Write Arrow's IPC stream."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa

from procwire.sinks.protocol import Terminal

__all__ = ["ArrowSink"]


class ArrowSink:
    """Write batches as they come."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> None:
        del terminal
        self._writer = pa.ipc.new_stream(stream, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the end mark."""
        self._writer.close()
