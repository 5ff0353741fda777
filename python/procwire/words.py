"""Words that messages share."""

from __future__ import annotations

__all__ = ["counted", "sized"]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 rule`, `2 rules`, `1,000 matches`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def sized(size_bytes: int) -> str:
    """Return a size for people, in decimal units: `512 B`, `1.5 MB`."""
    value, unit = float(size_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1_000 or unit == "TB":
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
