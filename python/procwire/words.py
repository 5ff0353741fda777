"""Phrases that messages share."""

from __future__ import annotations

__all__ = ["counted", "counted_rows"]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return a count with its noun: `1 rule`, `2 rules`, `1,000 matches`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def counted_rows(count: int, rows: str) -> str:
    """Return a count with a table's plural noun for its rows: `1 DNS query`, `0 network connections`."""
    if count != 1:
        return f"{count:,} {rows}"
    return f"1 {rows.removesuffix('ies') + 'y' if rows.endswith('ies') else rows.removesuffix('s')}"
