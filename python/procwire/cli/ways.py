"""The requested formats and columns of results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from procwire.errors import UsageError
from procwire.sinks.formats import canonical, format_named, format_of_path

__all__ = ["columns_among", "listed", "rows_way", "way_of"]


def way_of(to: str | None, path: Path | None) -> str:
    """Return the requested format, else that of the file's suffix, else `table` on a terminal.

    Raises UsageError for a file with an unknown suffix.
    """
    if to is not None:
        return canonical(to)
    if path is None:
        return "table" if sys.stdout.isatty() else "ndjson"
    return format_of_path(path)


def rows_way(to: str | None, path: Path | None) -> str:
    """Return the format of rows that are not events, as `way_of` does. Raises UsageError for a file of events."""
    way = way_of(to, path)
    if format_named(way).whole_events:
        raise UsageError(f"found .{way} in -o, expected another format: {way} holds events only")
    return way


def listed(text: str | None) -> list[str] | None:
    """Return the parts of a comma-separated text; None for None."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def columns_among(text: str, known: Sequence[str]) -> list[str]:
    """Return the columns in `--columns`, without repetitions. Raises UsageError for an unknown one, or if none."""
    names = list(dict.fromkeys(listed(text) or ()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"found column {', '.join(unknown) or 'none'!r}, expected some of {', '.join(known)}")
    return names
