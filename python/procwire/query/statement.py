"""Reading and checking of a user's query, before any data is read."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from procwire.engine import one_query
from procwire.engine.check import MOST_BYTES
from procwire.errors import UsageError

__all__ = ["checked_query", "read_query"]


def checked_query(text: str) -> str:
    """Return a query that is safe to run. Raises UsageError for an empty one, and as `engine.one_query` does."""
    if not text.strip():
        raise UsageError("found an empty query, expected SQL such as SELECT * FROM connections")
    return one_query(text)


def read_query(source: Path | TextIO) -> str:
    """Read a query from a file or a stream, check it, and return it.

    Raises UsageError as `checked_query` does, and for a file that cannot be read.
    """
    # The input may be endless: read only one character more than a query may have.
    if not isinstance(source, Path):
        return checked_query(source.read(MOST_BYTES + 1))
    try:
        with source.open(encoding="utf-8") as lines:
            text = lines.read(MOST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {source}: {error}") from error
    return checked_query(text)
