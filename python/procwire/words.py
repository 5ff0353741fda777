"""Phrases that messages share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["counted", "counted_rows", "nearest", "shown"]

_LONGEST = 60


def counted(count: int, thing: str, things: str | None = None) -> str:
    """Return a count with its noun: `1 rule`, `2 rules`, `1,000 matches`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def counted_rows(count: int, rows: str) -> str:
    """Return a count with a table's plural noun for its rows: `1 DNS query`, `0 network connections`."""
    if count != 1:
        return f"{count:,} {rows}"
    return f"1 {rows.removesuffix('ies') + 'y' if rows.endswith('ies') else rows.removesuffix('s')}"


def nearest(found: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """Return the known name that is most like a misspelt one, without regard to case; None if none is like it.

    cutoff: how alike they must be, from 0 to 1.
    """
    return _nearest(found.strip().casefold()[:_LONGEST], tuple(known), cutoff)


@lru_cache(maxsize=1 << 10)
def _nearest(found: str, known: tuple[str, ...], cutoff: float) -> str | None:
    # Not at the start of every command, most of which find no mistake.
    import difflib

    # One mistake may stand in a file many times: hence the cache.
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(found, by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


def shown(value: object) -> str:
    """Return a value as messages quote it: on one line, and cut off where it is long."""
    text = str(value)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
