"""Where rows go: the formats, and the columns that are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from procwire.errors import UsageError
from procwire.sinks.formats import canonical, format_named, format_of_path

__all__ = ["columns_among", "listed", "rows_way", "way_of"]


def way_of(to: str | None, path: Path | None) -> str:
    """Return the format asked for, else that of the file's name; on a terminal a table.

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
    """What stands between commas; None without a text."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def columns_among(text: str, known: Sequence[str]) -> list[str]:
    """The columns that `--columns` names, each once. Raises UsageError for an unknown one, or if there is none."""
    names = list(dict.fromkeys(listed(text) or ()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UsageError(f"found column {', '.join(unknown) or 'none'!r}, expected some of {', '.join(known)}")
    return names
