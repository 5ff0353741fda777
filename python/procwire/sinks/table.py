"""Write a table for people: connections at a glance, or a plain table of chosen columns.

Rows stream, so the terminal and the first batch determine the widths, and long values are shortened. Log values are
other people's text: control characters never reach the terminal.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sinks.cells import Rows, chunks, text
from procwire.sinks.connections import CONNECTION_COLUMNS, connection_columns, gap
from procwire.sinks.kinds import ALERT_COLUMNS, alert_runs, loss_runs
from procwire.sinks.layout import Column, add_cell, header_cell, shorten, shorten_middle, styled
from procwire.sinks.live import RECORDING_COLUMNS, alert_lines, loss_lines, recording_columns
from procwire.sinks.plain import plain_line, plain_text
from procwire.sinks.protocol import Terminal

__all__ = ["TableSink"]

_FIXED = {
    CONNECTION_COLUMNS: connection_columns,
    RECORDING_COLUMNS: recording_columns,
    (*RECORDING_COLUMNS, *ALERT_COLUMNS): recording_columns,
}
_DEFAULT_WIDTH = 160
# No column of a plain table is cut below the first, and none starts above the second.
_NARROW, _BROAD = 12, 60
_NOTE_WIDTH = len(" … 99 more: --columns")
# Widths for values that the first batch does not have yet.
_LEAST_NUMBER, _LEAST_TEXT = 7, 16


class TableSink:
    """Write the connections' table, a recording's live view, or a plain table.

    The columns decide: CONNECTION_COLUMNS, RECORDING_COLUMNS, or others.
    """

    def __init__(self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> None:
        self._stream = stream
        self._colours = terminal is not None and terminal.colours
        self._width = terminal.width if terminal else shutil.get_terminal_size((_DEFAULT_WIDTH, 0)).columns
        self._gap = " " * gap(self._width)
        self._fixed = _FIXED.get(tuple(schema.names))
        self._columns: list[Column] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line per row; before the first, the header."""
        if not self._columns and batch.num_rows:
            self._start(batch)
        for chunk in chunks(batch):
            for is_loss, run in loss_runs(chunk) if self._fixed else [(False, chunk)]:
                if is_loss:
                    self._stream.write(loss_lines(run, self._width, self._colours))
                else:
                    self._write_rows(run)

    def close(self) -> None:
        """Do nothing: a table has no end mark."""

    def _write_rows(self, batch: pa.RecordBatch) -> None:
        for is_alert, run in alert_runs(batch) if self._fixed else [(False, batch)]:
            self._stream.write(alert_lines(run, self._width, self._colours) if is_alert else self._lines(run))

    def _start(self, batch: pa.RecordBatch) -> None:
        note = ""
        if self._fixed:
            self._columns = self._fixed(self._width)
        else:
            columns = [_plain_column(batch, name) for name in batch.schema.names]
            self._columns = _that_fit(columns, self._width, len(self._gap))
            if len(self._columns) < len(columns):
                self._columns = _that_fit(columns, self._width - _NOTE_WIDTH, len(self._gap))
                note = f" … {len(columns) - len(self._columns)} more: --columns"
        header = self._gap.join(header_cell(column) for column in self._columns)
        start, end = styled("bold") if self._colours else ("", "")
        self._stream.write(f"{start}{header if note else header.rstrip()}{end}{note}\n".encode())

    def _lines(self, batch: pa.RecordBatch) -> bytes | pa.Buffer:
        rows = Rows(batch.num_rows)
        for column in self._columns:
            last = column is self._columns[-1]
            add_cell(rows, column, batch, last=last, colours=self._colours)
            rows.literal("\n" if last else self._gap)
        return rows.joined()


def _plain_column(batch: pa.RecordBatch, name: str) -> Column:
    def texts(rows: pa.RecordBatch) -> pa.StringArray:
        return plain_text(text(rows.column(index)))

    index, name = batch.schema.get_field_index(name), plain_line(name)
    kind = batch.schema.field(index).type
    longest = pc.max(pc.utf8_length(texts(batch))).as_py() or 0
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        width = max(len(name), min(longest, _BROAD), _LEAST_TEXT)
        return Column(name, width, texts, shorten_middle, least=_NARROW)
    least = max(longest, _LEAST_NUMBER, min(len(name), _NARROW))
    return Column(name, max(least, len(name)), texts, shorten, right=pa.types.is_integer(kind), least=least)


def _that_fit(columns: list[Column], width: int, gap_width: int) -> list[Column]:
    """Return the first columns that fit side by side, the broadest of them narrowed to one breadth."""
    shown, used = 1, columns[0].least
    for column in columns[1:]:
        used += gap_width + column.least
        if used > width:
            break
        shown += 1
    room = width - gap_width * (shown - 1)
    cap = max(column.width for column in columns)
    while cap > _NARROW and sum(_capped(column, cap) for column in columns[:shown]) > room:
        cap -= 1
    return [replace(column, width=_capped(column, cap)) for column in columns[:shown]]


def _capped(column: Column, cap: int) -> int:
    return max(column.least, min(column.width, cap))
