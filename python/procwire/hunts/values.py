"""Values of a hunt's parameters, from texts or Python values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from procwire.errors import UsageError

__all__ = ["KINDS", "Value", "value_of"]

Value = None | bool | int | float | str | datetime | list[int] | list[str]


def _boolean(text: str) -> bool:
    return {"true": True, "false": False, "yes": True, "no": False}[text.lower()]


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(text)
    return number


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _texts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


KINDS: dict[str, tuple[Callable[[str], Value], str]] = {
    "integer": (int, "a whole number"),
    "number": (_number, "a number"),
    "text": (str, "text"),
    "boolean": (_boolean, "true or false"),
    "time": (_time, "a time such as 2024-05-01 or 2024-05-01T12:00:00Z"),
    "integers": (lambda text: [int(part) for part in _texts(text)], "whole numbers separated by commas"),
    "texts": (_texts, "texts separated by commas"),
}
"""The types of parameters: a function that parses each, and its description for messages."""


def value_of(kind: str, value: object, what: str) -> Value:
    """Return the value of a parameter of type `kind`.

    value: a text to parse, or the Python value itself, which may be a list. what: the parameter's name for messages.
    Raises UsageError for a value of another type.
    """
    read, expected = KINDS[kind]
    try:
        return read(_text(value))
    except (ValueError, KeyError) as error:
        raise UsageError(f"{what}: found {value!r}, expected {expected}") from error


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)
