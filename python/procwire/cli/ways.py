"""Where rows go: the options that verbs share, the formats, and the columns that are asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from procwire.errors import UsageError

__all__ = [
    "ForceOption",
    "OutputOption",
    "RowsToOption",
    "RowsWay",
    "ToOption",
    "Way",
    "WhereOption",
    "columns_among",
    "listed",
    "rows_way",
    "way_of",
]

Way = Literal["table", "ndjson", "csv", "csv-safe", "parquet", "arrow", "xml"]
RowsWay = Literal["table", "ndjson", "csv", "csv-safe", "parquet", "arrow"]
"""Formats for rows that are not events."""


def _file(path: Path | None) -> Path | None:
    """`-` is stdout, as no file is."""
    return None if path == Path("-") else path


_TO = typer.Option(help="Format of the result. [default: by the suffix of -o; table on a terminal; else ndjson]")
ToOption = Annotated[Way | None, _TO]
RowsToOption = Annotated[RowsWay | None, _TO]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of stdout.", callback=_file),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Overwrite files that are there: without it they are never touched.")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SQL",
        help="Keep rows for which this predicate holds, in DuckDB's SQL over the columns. May be repeated: all must "
        "hold.",
    ),
]


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
