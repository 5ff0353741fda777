"""Write CSV as in RFC 4180, with a header; null is the empty field."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sinks.cells import Escape, Rows, chunks
from procwire.sinks.plain import plain_text
from procwire.sinks.protocol import Terminal

__all__ = ["CsvSink"]

_END = "\r\n"
# How spreadsheets recognise a formula, some also in full width, and behind white space that they skip. Where the
# semicolon separates cells, as in much of Europe, one begins behind it.
_FORMULA = "(^|;)( *[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r\n])"


class CsvSink:
    """Write the text forms of the other formats; replace what a terminal would obey on a terminal only.

    safe: for people who open it in a spreadsheet or page through it: no cell is taken for a formula, and what a
    terminal would obey is replaced everywhere.
    """

    def __init__(
        self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None, *, safe: bool = False
    ) -> None:
        self._stream = stream
        self._escape: Escape = _inert if safe else _quote if terminal is None else _plain
        stream.write((",".join(self._escape(pa.array(schema.names, pa.string())).to_pylist()) + _END).encode())

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a record per row."""
        for chunk in chunks(batch):
            rows = Rows(chunk.num_rows)
            for index, column in enumerate(chunk.columns):
                rows.literal("," if index else "")
                rows.cell(column, "", "", "", self._escape)
            rows.literal(_END)
            self._stream.write(rows.joined())

    def close(self) -> None:
        """Do nothing: CSV has no end mark."""


def _quote(texts: pa.StringArray) -> pa.StringArray:
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    # The empty text is quoted, which sets it apart from null.
    return pc.if_else(pc.match_substring_regex(texts, '[",\\r\\n]|^$'), quoted, texts)


def _plain(texts: pa.StringArray) -> pa.StringArray:
    return _quote(plain_text(texts))


def _inert(texts: pa.StringArray) -> pa.StringArray:
    return _plain(pc.replace_substring_regex(texts, _FORMULA, r"\1'\2"))
