"""Values of a hunt's parameters, out of text or as Python has them."""

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
    "integers": (lambda text: [int(part) for part in _texts(text)], "whole numbers with commas between them"),
    "texts": (_texts, "texts with commas between them"),
}
"""The types of parameters: how each is read, and what it looks like."""


def value_of(kind: str, value: object, what: str) -> Value:
    """The value of a parameter of a kind; `what` names it in an error.

    value: text, read as the kind is written; or the Python value itself, lists too.
    Raises UsageError for a value that is none of the kind.
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
