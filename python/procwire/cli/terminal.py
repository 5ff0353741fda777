"""Safe text on a terminal: nothing that is written is executed."""

from __future__ import annotations

import sys

from procwire.plain import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TextIO

__all__ = ["guard_terminals", "styled"]


class _Guarded:
    """Wrap a terminal's text stream, and replace characters that it would execute when writing."""

    def __init__(self, stream: TextIO) -> None:
        self.styled = stream
        """The terminal itself, for text that is safe and has a style."""

    def write(self, text: str) -> int:
        self.styled.write(plain(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.styled, name)


def guard_terminals() -> None:
    """Make stdout and stderr safe if they are terminals, for messages, names of files, titles, tracebacks.

    Rows bypass it as bytes: their sinks know what a format can escape.
    """
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def styled(stream: TextIO) -> TextIO:
    """Return the terminal behind a guard, for our own styled text; return any other stream unchanged."""
    behind: TextIO = getattr(stream, "styled", stream)
    return behind


def _guarded(stream: TextIO) -> TextIO:
    guarded: Any = _Guarded(stream)
    return guarded if stream.isatty() else stream
