"""Words that messages share."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, thing: str, things: str | None = None) -> str:
    """`1 rule`, `2 rules`, `1,000 matches`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"
