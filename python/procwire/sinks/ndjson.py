"""NDJSON: an object per line, keys in the columns' order."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sinks.cells import Rows, chunks, replace_all
from procwire.sinks.protocol import Terminal

__all__ = ["NdjsonSink"]

# JSON asks for C0 only; DEL and C1 are escaped too, because terminals obey them.
_CONTROLS = "[\\x00-\\x1f\\x7f-\\x{9f}]"
_CONTROL_ESCAPES = [(chr(code), f"\\u{code:04x}") for code in (*range(0x20), *range(0x7F, 0xA0))]


class NdjsonSink:
    """ISO 8601 times, upper-case hexadecimal for bytes, null for nulls."""

    def __init__(self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> None:
        del terminal
        self._stream = stream
        self._keys = [f'"{name}":' for name in _escape(pa.array(schema.names, pa.string())).to_pylist()]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line per row."""
        for chunk in chunks(batch):
            rows = Rows(chunk.num_rows)
            for index, (key, column) in enumerate(zip(self._keys, chunk.columns, strict=True)):
                rows.literal(("," if index else "{") + key)
                _cell(rows, column)
            rows.literal("}\n")
            self._stream.write(rows.joined())

    def close(self) -> None:
        """Nothing stands at the end."""


def _cell(rows: Rows, column: pa.Array) -> None:
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        rows.cell(column, "", "", "null")
    else:
        rows.cell(column, '"', '"', "null", _escape)


def _escape(texts: pa.StringArray) -> pa.StringArray:
    texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    return replace_all(texts, _CONTROLS, _CONTROL_ESCAPES)
