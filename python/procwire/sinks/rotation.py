"""Decide when a file has grown or lasted long enough, what it is then called, and how many are kept."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from procwire.files import Place

__all__ = ["Rotation", "set_aside", "set_foreign_aside"]

_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_STAMP_PATTERN = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Hold the limits of a file; None for no limit."""

    bytes: int | None
    seconds: float | None
    """Files end where this divides Unix time: with 3,600 on the hour."""
    keep: int | None
    """Old files to keep; None for all."""
    now: Callable[[], float]

    def too_large(self, size: int) -> bool:
        """Return whether a file of so many bytes is full."""
        return self.bytes is not None and size > self.bytes

    def too_old(self, written_s: float) -> bool:
        """Return whether a file last written at this time belongs to an earlier period."""
        return self.seconds is not None and written_s // self.seconds != self.now() // self.seconds


def set_aside(place: Place, keep: int | None) -> None:
    """Rename our own file as an old one, with the time of its last writing in it; remove old ones above `keep`.

    connections.ndjson becomes connections.2026-11-24T10-00-00Z.ndjson, or ....1.ndjson where that is taken.
    """
    _rename(place, "")
    if keep is not None:
        for surplus in _old_files(place)[: -keep or None]:
            place.remove(surplus)


def set_foreign_aside(place: Place) -> None:
    """Rename a file of others that is in the way, so that no `keep` ever removes it.

    connections.ndjson becomes connections.2026-11-24T10-00-00Z.set-aside.ndjson.
    """
    _rename(place, ".set-aside")


def _rename(place: Place, mark: str) -> None:
    name = PurePath(place.name)
    modified_s = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False).st_mtime
    start, number = f"{name.stem}.{datetime.fromtimestamp(modified_s, UTC).strftime(_STAMP)}", 0
    while not place.rename(place.name, f"{start}{f'.{number}' if number else ''}{mark}{name.suffix}"):
        number += 1


def _old_files(place: Place) -> list[str]:
    """Return the names of old files, the oldest first."""
    name = PurePath(place.name)
    pattern = re.compile(rf"{re.escape(name.stem)}\.({_STAMP_PATTERN})(?:\.(\d+))?{re.escape(name.suffix)}")
    matches = ((pattern.fullmatch(other), other) for other in place.names())
    found = [(match[1], int(match[2] or 0), other) for match, other in matches if match]
    return [other for _, _, other in sorted(found)]
