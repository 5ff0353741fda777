"""Durations and sizes as people write them."""

from __future__ import annotations

import re

from procwire.errors import UsageError

__all__ = ["seconds", "size_bytes"]

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "k": 2**10, "m": 2**20, "g": 2**30,
    "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip


def seconds(text: str) -> float:
    """A duration such as `10s`, `5m`, `1h`, `500ms`; a number alone is seconds. Raises UsageError for another."""
    return _parsed(text, _SECONDS, "a duration such as 10s, 5m or 1h")


def size_bytes(text: str) -> int:
    """A size such as `100MB`, `1GiB`; a number alone is bytes. Raises UsageError for another."""
    return int(_parsed(text, _BYTES, "a size such as 100MB or 1GiB"))


def _parsed(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    unit = match and units.get(match[2].lower())
    if not match or not unit or not float(match[1]):
        raise UsageError(f"found {text!r}, expected {expected}")
    return float(match[1]) * unit
