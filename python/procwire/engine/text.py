"""Quoting of names and texts in SQL."""

from __future__ import annotations

__all__ = ["literal", "quote"]


def quote(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return `text` as an SQL string, on one line."""
    quoted = text.replace("'", "''")
    if "\n" not in text:
        return f"'{quoted}'"
    # SQL is indented line by line, which must not change a text.
    return "E'" + quoted.replace("\\", "\\\\").replace("\n", "\\n") + "'"
