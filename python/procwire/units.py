"""Durations, times and sizes as users write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from procwire.errors import UsageError

__all__ = ["age", "point_in_time", "seconds", "size_bytes", "sized"]

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_AGE = re.compile(r"([0-9]{1,5})\s*([dw])", re.IGNORECASE)
_MOST_DAYS = 36_500
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "k": 2**10, "m": 2**20, "g": 2**30,
    "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip


def seconds(text: str) -> float:
    """Parse a duration such as `10s`, `5m`, `1h`, `500ms` into seconds; a number alone is seconds.

    Raises UsageError for another text, and for a duration under 1 ms or over 100 years.
    """
    found = _parsed(text, _SECONDS, "a duration such as 10s, 5m or 1h")
    if not 0.001 <= found <= timedelta(days=_MOST_DAYS).total_seconds():
        raise UsageError(f"found {text!r}, expected a duration from 1ms to {_MOST_DAYS}d")
    return found


def age(text: str) -> timedelta:
    """Parse the age at which data is deleted: a number of days or weeks with its unit, such as `90d`, `12w`.

    A bare number would mean seconds elsewhere, and `3m` could be minutes or months. Raises UsageError for other texts.
    """
    match = _AGE.fullmatch(text.strip())
    days = int(match[1]) * (7 if match[2].lower() == "w" else 1) if match else 0
    if not 1 <= days <= _MOST_DAYS:
        raise UsageError(
            f"found {text!r}, expected days or weeks with their unit, such as 90d or 12w, up to {_MOST_DAYS}d"
        )
    return timedelta(days=days)


def point_in_time(text: str | None, *, now: datetime | None = None) -> datetime | None:
    """Parse a time such as `2024-03-01T12:00` (UTC unless it has a zone), or an age, such as `7d`; None for None.

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
    """Parse a size such as `100MB`, `1GiB`; a number alone is bytes.

    Raises UsageError for another text, and for a size that no file can have.
    """
    found = _parsed(text, _BYTES, "a size such as 100MB or 1GiB")
    if not 1 <= found < 2**63:
        raise UsageError(f"found {text!r}, expected a size from 1 byte to 8,388,607 TiB")
    return int(found)


def sized(size_bytes: int) -> str:
    """Return a size as text, in decimal units: `512 B`, `1.5 MB`."""
    value, unit = float(size_bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1_000 or unit == "TB":
            break
        value /= 1_000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _parsed(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    unit = match and units.get(match[2].lower())
    if not match or not unit or not float(match[1]):
        raise UsageError(f"found {text!r}, expected {expected}")
    return float(match[1]) * unit
