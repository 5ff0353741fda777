"""Read a small system file again when it has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from procwire.bounded import read_bounded
from procwire.errors import UsageError

__all__ = ["Watched"]

T = TypeVar("T")

_LOOK_AGAIN_S = 1.0
_MOST_BYTES = 16 << 20


class Watched(Generic[T]):
    """Parse a file's text with `parse`; an empty text where it cannot be read, or is larger than any such file."""

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._state: tuple[int, ...] | None = None
        self._look_again_s = 0.0
        self._parsed: T

    @property
    def parsed(self) -> T:
        """Return the result for the file as it is now, or was a second ago."""
        now_s = time.monotonic()
        if now_s >= self._look_again_s:
            self._look_again_s = now_s + _LOOK_AGAIN_S
            self._look()
        return self._parsed

    def _look(self) -> None:
        try:
            stat = self._path.stat()
            state: tuple[int, ...] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if state == self._state:
                return
            text = read_bounded(self._path, _MOST_BYTES).decode("utf-8", "replace")
        except (OSError, UsageError):
            state, text = (), ""
        if state != self._state:
            self._state, self._parsed = state, self._parse(text)
