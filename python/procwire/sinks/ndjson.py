"""Write NDJSON: an object per line, keys in the columns' order."""

from __future__ import annotations

from collections.abc import Collection
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sinks.cells import Rows, chunks, replace_all
from procwire.sinks.plain import escaped_json, shown
from procwire.sinks.protocol import Terminal

__all__ = ["NdjsonSink"]

# JSON asks for C0 only; DEL and C1 are escaped too, because terminals obey them.
_CONTROLS = "[\\x00-\\x1f\\x7f-\\x{9f}]"
_SPECIAL = '["\\\\' + _CONTROLS[1:]
_CONTROL_ESCAPES = [(chr(code), f"\\u{code:04x}") for code in (*range(0x20), *range(0x7F, 0xA0))]


class NdjsonSink:
    """Write ISO 8601 times, upper-case hexadecimal for bytes, null for nulls; omit keys of `sparse` where null.

    json: columns whose texts are JSON on one line, and become values as they are.
    """

    def __init__(
        self,
        stream: BinaryIO,
        schema: pa.Schema,
        terminal: Terminal | None = None,
        *,
        sparse: Collection[str] = (),
        json: Collection[str] = (),
    ) -> None:
        self._stream = stream if terminal is None else shown(stream, escaped_json)
        self._json = [name in json for name in schema.names]
        # The first is always present, so that each other has a comma before it.
        self._sparse = [index > 0 and name in sparse for index, name in enumerate(schema.names)]
        self._keys = [f'"{name}":' for name in _escape(pa.array(schema.names, pa.string())).to_pylist()]

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line per row."""
        for chunk in chunks(batch):
            rows = Rows(chunk.num_rows)
            for index, (key, column) in enumerate(zip(self._keys, chunk.columns, strict=True)):
                cell = _json_cell if self._json[index] else _cell
                if self._sparse[index]:
                    cell(rows, column, f",{key}", "")
                else:
                    rows.literal(("," if index else "{") + key)
                    cell(rows, column, "", "null")
            rows.literal("}\n")
            self._stream.write(rows.joined())

    def close(self) -> None:
        """Do nothing: NDJSON has no end mark."""


def _cell(rows: Rows, column: pa.Array, before: str, null: str) -> None:
    if pa.types.is_floating(column.type):
        # JSON has no NaN and no infinity.
        column = pc.if_else(pc.is_finite(column), column, None)
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        rows.cell(column, before, "", null)
    else:
        rows.cell(column, f'{before}"', '"', null, _escape)


def _json_cell(rows: Rows, column: pa.Array, before: str, null: str) -> None:
    # Controls occur in JSON's own texts only, where they may be escaped.
    rows.cell(column, before, "", null, lambda texts: replace_all(texts, _CONTROLS, _CONTROL_ESCAPES))


def _escape(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(texts, _SPECIAL)).as_py():
        return texts
    texts = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    return replace_all(texts, _CONTROLS, _CONTROL_ESCAPES)
