"""Formats for rows that are not events."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, cast

from procwire.errors import UsageError

__all__ = ["RowsWay", "rows_way"]

RowsWay = Literal["table", "ndjson", "csv", "parquet", "arrow"]


def rows_way(to: RowsWay | None, path: Path | None) -> RowsWay:
    """The format asked for, else of the file's name, on a terminal a table. Raises UsageError for a file of xml."""
    from procwire.sinks import sink_for_suffix

    if to is not None:
        return to
    if path is None or path == Path("-"):
        return "table" if sys.stdout.isatty() else "ndjson"
    way = sink_for_suffix(path.suffix) or "ndjson"
    if way == "xml":
        raise UsageError("found .xml in -o, expected another format: xml holds events only")
    return cast(RowsWay, way)
