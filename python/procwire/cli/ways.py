"""Where rows go: the formats, and the columns that are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.errors import UsageError
from procwire.sinks.formats import EXPORT_FORMATS, ROW_FORMATS, canonical, format_named, format_of_path

__all__ = ["RowsWay", "Way", "columns_among", "listed", "rows_way", "way_of"]

if TYPE_CHECKING:
    Way = str
    RowsWay = str
else:
    Way = Literal[EXPORT_FORMATS]
    RowsWay = Literal[ROW_FORMATS]
    """Formats for rows that are not events."""


def way_of(to: Way | None, path: Path | None) -> Way:
    """Return the format asked for, else that of the file's name; on a terminal a table.

    Raises UsageError for a file with an unknown suffix.
    """
    if to is not None:
        return canonical(to)
    if path is None:
        return "table" if sys.stdout.isatty() else "ndjson"
    return format_of_path(path)


def rows_way(to: RowsWay | None, path: Path | None) -> RowsWay:
    """Return the format of rows that are not events, as `way_of` does. Raises UsageError for a file of events."""
    way = way_of(to, path)
    if format_named(way).whole_events:
        raise UsageError(f"found .{way} in -o, expected another format: {way} holds events only")
    return way


def listed(text: str | None) -> list[str] | None:
    """What stands between commas; None without a text."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def columns_among(text: str, known: Sequence[str]) -> list[str]:
    """The columns that `--columns` names, each once. Raises UsageError for an unknown one, or if there is none."""
    names = list(dict.fromkeys(listed(text) or ()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"found column {', '.join(unknown) or 'none'!r}, expected some of {', '.join(known)}")
    return names
