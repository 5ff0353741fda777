"""Fit cells to a fixed width, for tables that people read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from rich.cells import cell_len, set_cell_size

from procwire.sinks.cells import Rows

__all__ = ["Column", "add_cell", "header_cell", "pad", "shorten", "shorten_middle", "styled"]

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """Define a column of a table that people read."""

    title: str
    width: int
    texts: Callable[[pa.RecordBatch], pa.StringArray]
    """The column's texts from a batch, without controls, of any length; null is shown as `-`."""
    fit: Callable[[str, int], str]
    """Shortens a text to a width."""
    style: str = ""
    right: bool = False
    least: int = 0
    """The width that it is not narrowed below."""


def shorten(text: str, width: int) -> str:
    """Return the text, its end cut where it is too long."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def shorten_middle(text: str, width: int) -> str:
    """Return the text, its middle cut where it is too long: both ends of a path matter most."""
    if cell_len(text) <= width:
        return text
    head = (width - 1) // 2
    return set_cell_size(text, head) + ELLIPSIS + _last_cells(text, width - 1 - head)


def _last_cells(text: str, width: int) -> str:
    return set_cell_size(text[::-1], width)[::-1]


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return the text filled up with spaces."""
    spaces = " " * (width - cell_len(text))
    return spaces + text if right else text + spaces


def header_cell(column: Column) -> str:
    """Return the title, as wide as the column."""
    return pad(shorten(column.title, column.width), column.width, right=column.right)


def _fit_each(texts: pa.StringArray, fit: Callable[[str], str]) -> pa.StringArray:
    """Apply `fit` to each distinct text."""
    encoded = pc.fill_null(texts, "-").dictionary_encode()
    fitted = pa.array([fit(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return fitted.take(encoded.indices)


def add_cell(rows: Rows, column: Column, batch: pa.RecordBatch, *, last: bool, colours: bool) -> None:
    """Add the column's cell to each row."""

    def fit(text: str) -> str:
        fitted = column.fit(text, column.width)
        return fitted if last and not column.right else pad(fitted, column.width, right=column.right)

    start, end = styled(column.style) if colours and column.style else ("", "")
    rows.literal(start)
    rows.texts(_fit_each(column.texts(batch), fit))
    rows.literal(end)


@cache
def styled(style: str) -> tuple[str, str]:
    """Return the codes that switch a style on and off in a terminal."""
    from rich.color import ColorSystem
    from rich.style import Style

    start, _, end = Style.parse(style).render("|", color_system=ColorSystem.STANDARD).partition("|")
    return start, end
