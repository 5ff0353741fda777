"""Give values the types that modifiers require: the number in `gt: '1024'`, the flag in `exists: 'true'`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["with_plain_types"]

_NUMERIC = frozenset(("lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"))
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def with_plain_types(detection: Any) -> Any:
    """Return a detection in which texts are numbers, or flags, where a modifier takes nothing else."""
    if isinstance(detection, list):
        return [with_plain_types(one) for one in detection]
    if not isinstance(detection, Mapping):
        return detection
    return {key: _value(key, value) for key, value in detection.items()}


def _value(key: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        return with_plain_types(value)
    modifiers = str(key).split("|")[1:]
    convert = _number if not _NUMERIC.isdisjoint(modifiers) else _flag if "exists" in modifiers else None
    if isinstance(value, list):
        return [convert(one) if convert else with_plain_types(one) for one in value]
    return convert(value) if convert else value


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else value


def _flag(value: Any) -> Any:
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value
