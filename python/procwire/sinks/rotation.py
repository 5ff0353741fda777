"""When a file has grown or lasted long enough, what it is then called, and how many are kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["Rotation", "set_aside"]

_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_STAMP_PATTERN = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The limits of a file; None for one that there is not."""

    bytes: int | None
    seconds: float | None
    """Files end where this divides Unix time: with 3,600 on the hour."""
    keep: int | None
    """Old files to keep; None for all."""
    now: Callable[[], float]

    def too_large(self, size: int) -> bool:
        """Whether a file of so many bytes is full."""
        return self.bytes is not None and size > self.bytes

    def too_old(self, written_s: float) -> bool:
        """Whether a file that was last written then belongs to an earlier period."""
        return self.seconds is not None and written_s // self.seconds != self.now() // self.seconds


def set_aside(path: Path, keep: int | None) -> Path:
    """Give a file the name of an old one, with the time of its last writing in it; remove old ones above `keep`.

    connections.ndjson becomes connections.2026-11-24T10-00-00Z.ndjson, or ....1.ndjson where that is taken.
    """
    stamp = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime(_STAMP)
    old, number = path.with_name(f"{path.stem}.{stamp}{path.suffix}"), 0
    while old.exists():
        number += 1
        old = path.with_name(f"{path.stem}.{stamp}.{number}{path.suffix}")
    path.rename(old)
    if keep is not None:
        for surplus in _old_files(path)[: -keep or None]:
            surplus.unlink(missing_ok=True)
    return old


def _old_files(path: Path) -> list[Path]:
    """The oldest first."""
    pattern = re.compile(rf"{re.escape(path.stem)}\.({_STAMP_PATTERN})(?:\.(\d+))?{re.escape(path.suffix)}")
    matches = ((pattern.fullmatch(other.name), other) for other in path.parent.iterdir())
    found = [(match[1], int(match[2] or 0), other) for match, other in matches if match]
    return [other for _, _, other in sorted(found)]
