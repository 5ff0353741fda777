"""Where rows go: the formats, and the columns that are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from procwire.errors import UsageError

__all__ = ["RowsWay", "Way", "columns_among", "listed", "rows_way", "way_of"]

Way = Literal["table", "ndjson", "csv", "csv-safe", "parquet", "arrow", "xml"]
RowsWay = Literal["table", "ndjson", "csv", "csv-safe", "parquet", "arrow"]
"""Formats for rows that are not events."""


def way_of(to: Way | None, path: Path | None) -> Way:
    """The format asked for, else of the file's name, on a terminal a table."""
    from procwire.sinks import sink_for_suffix

    if to is not None:
        return to
    if path is None:
        return "table" if sys.stdout.isatty() else "ndjson"
    return cast(Way, sink_for_suffix(path.suffix) or "ndjson")


def rows_way(to: RowsWay | None, path: Path | None) -> RowsWay:
    """The same for rows that are not events. Raises UsageError for a file of xml."""
    way = way_of(to, path)
    if way == "xml":
        raise UsageError("found .xml in -o, expected another format: xml holds events only")
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
