"""Durations, times and sizes as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from procwire.errors import UsageError

__all__ = ["point_in_time", "seconds", "size_bytes"]

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "k": 2**10, "m": 2**20, "g": 2**30,
    "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip


def seconds(text: str) -> float:
    """A duration such as `10s`, `5m`, `1h`, `500ms`; a number alone is seconds. Raises UsageError for another."""
    return _parsed(text, _SECONDS, "a duration such as 10s, 5m or 1h")


def point_in_time(text: str | None, *, now: datetime | None = None) -> datetime | None:
    """A time such as `2024-03-01T12:00` (UTC, unless it says otherwise), or so long ago, as in `7d`.

    Raises UsageError for another text.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=seconds(text))
    except (UsageError, OverflowError) as error:
        raise UsageError(f"found {text!r}, expected a time such as 2024-03-01, 2024-03-01T12:00, or 7d ago") from error


def size_bytes(text: str) -> int:
    """A size such as `100MB`, `1GiB`; a number alone is bytes. Raises UsageError for another."""
    return int(_parsed(text, _BYTES, "a size such as 100MB or 1GiB"))


def _parsed(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    unit = match and units.get(match[2].lower())
    if not match or not unit or not float(match[1]):
        raise UsageError(f"found {text!r}, expected {expected}")
    return float(match[1]) * unit
