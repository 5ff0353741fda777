"""Real events repeated with other times, ports, processes and numbers, so that no two are equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_START = datetime(2024, 3, 1, tzinfo=UTC)
_START_MS = int(_START.timestamp() * 1000)
_STEP_MS = 37
"""Time between two events: 27 per second, as on a busy server."""


class Values(NamedTuple):
    """Hold the values that differ in each event."""

    time_ms: int
    """Milliseconds since 1970."""
    utc_time: str
    time_created: str
    record_id: int
    process_id: int
    guid_tail: str
    source_port: int
    last_octet: int


def values(number: int) -> Values:
    """Return the values of the event with this number."""
    elapsed_s, ms = divmod(number * _STEP_MS, 1000)
    date, clock = _second(elapsed_s)
    process = number * 97 % 4001
    return Values(
        _START_MS + number * _STEP_MS,
        f"{date} {clock}.{ms:03d}",
        f"{date}T{clock}.{ms:03d}Z",
        1_000_000 + number,
        4 * process + 4,
        f"{process:04x}",
        49_152 + number * 7_919 % 16_384,
        number * 131 % 254 + 1,
    )


@lru_cache(maxsize=4)
def _second(elapsed_s: int) -> tuple[str, str]:
    at = _START + timedelta(seconds=elapsed_s)
    return f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}"


Slots = Sequence[tuple[str, str]]
"""Regular expressions whose first group is replaced, and the value that replaces it."""

Template = Callable[[Values], str]


def template(text: str, slots: Slots) -> Template:
    """Hold an event's text with slots for values."""
    spans = sorted((*match.span(1), name) for pattern, name in slots for match in re.finditer(pattern, text))
    pieces, at = [], 0
    for start, end, _ in spans:
        pieces.append(text[at:start].replace("%", "%%"))
        at = end
    frame = "%s".join([*pieces, text[at:].replace("%", "%%")])
    indexes = [Values._fields.index(name) for _, _, name in spans]

    def fill(values: Values) -> str:
        return frame % tuple([values[index] for index in indexes])

    return fill


def filled(templates: Sequence[Template]) -> Iterator[str]:
    """Yield the events of all templates in turn, endlessly."""
    number = 0
    while True:
        for fill in templates:
            yield fill(values(number))
            number += 1


def mixed(events: Sequence[T], others: Sequence[T], share: float) -> list[T]:
    """Yield every event, interspersed with others so that events are this share."""
    spacing = round(1 / share) - 1
    picked = []
    for turn, event in enumerate(events):
        picked += [others[(turn * spacing + step) % len(others)] for step in range(spacing)]
        picked.append(event)
    return picked
