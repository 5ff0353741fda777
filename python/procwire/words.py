"""Words that messages share."""

from __future__ import annotations

__all__ = ["counted", "counted_rows", "sized"]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 rule`, `2 rules`, `1,000 matches`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def counted_rows(count: int, rows: str) -> str:
    """Return a count of what a table calls its rows, a plural: `1 DNS query`, `0 network connections`."""
    if count != 1:
        return f"{count:,} {rows}"
    return f"1 {rows.removesuffix('ies') + 'y' if rows.endswith('ies') else rows.removesuffix('s')}"


def sized(size_bytes: int) -> str:
    """Return a size for people, in decimal units: `512 B`, `1.5 MB`."""
    value, unit = float(size_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1_000 or unit == "TB":
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
