"""Watching of small files for changes: checks at most once a second, on every file system, unlike inotify."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from procwire.bounded import read_bounded
from procwire.errors import UsageError

__all__ = ["Changes", "Watched"]

T = TypeVar("T")

_LOOK_AGAIN_S = 1.0
_MOST_BYTES = 16 << 20


class Changes:
    """Report whether a file has changed; may be called often, and checks about once in `look_again_s` seconds.

    Reports each change once, when the file is the same from one check to the next: until then its editor may still be
    writing. A missing or inaccessible file counts as a further state; something other than a file (a pipe) never
    changes.
    """

    def __init__(self, path: Path, *, look_again_s: float = _LOOK_AGAIN_S) -> None:
        self._path = path
        self._look_again_s = look_again_s
        self.settle()

    def settle(self) -> None:
        """Treat the file's current state as known."""
        self._known = self._seen = _state(self._path)
        self._due_s = time.monotonic() + self._look_again_s

    def __call__(self) -> bool:
        """Return whether the file has changed, and then stayed the same from one check to the next."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return False
        self._due_s = now_s + self._look_again_s
        before, self._seen = self._seen, _state(self._path)
        if self._seen != before or self._seen == self._known:
            return False
        self._known = self._seen
        return True


class Watched(Generic[T]):
    """Parse a file's text with `parse`; the text is empty if the file cannot be read, or is too large."""

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._state: tuple[int, ...] | None = None
        self._look_again_s = 0.0
        self._parsed: T

    @property
    def parsed(self) -> T:
        """Return the result for the file as it is now, or was up to a second ago."""
        now_s = time.monotonic()
        if now_s >= self._look_again_s:
            self._look_again_s = now_s + _LOOK_AGAIN_S
            self._look()
        return self._parsed

    def _look(self) -> None:
        # Get the state before reading the file, to detect changes meanwhile.
        state, text = _state(self._path) or (), ""
        if state == self._state:
            return
        if state:
            try:
                text = read_bounded(self._path, _MOST_BYTES).decode("utf-8", "replace")
            except (OSError, UsageError):
                state = ()
        if state != self._state:
            self._state, self._parsed = state, self._parse(text)


def _state(path: Path) -> tuple[int, ...] | None:
    """Return values that change with the file; () if it is not a regular file, None if it is inaccessible."""
    try:
        found = path.stat()
    except OSError:
        return None
    # Some editors write to the file, others replace it by another, which may be as old.
    return (found.st_mtime_ns, found.st_size, found.st_ino) if stat.S_ISREG(found.st_mode) else ()
