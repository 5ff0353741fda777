"""Text on a terminal: whatever is written, nothing in it is obeyed."""

from __future__ import annotations

import sys

from procwire.plain import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TextIO

__all__ = ["guard_terminals", "styled"]


class _Guarded:
    """A terminal's stream of text; what it would obey is replaced. All but writing is the stream's own."""

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
    """Make stdout and stderr safe where they are terminals: messages, names of files, titles, tracebacks.

    Rows go past it, as bytes: their sinks know what of a format can be escaped.
    """
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def styled(stream: TextIO) -> TextIO:
    """Return the terminal behind a guard, for text of our own that has a style; any other stream as it is."""
    behind: TextIO = getattr(stream, "styled", stream)
    return behind


def _guarded(stream: TextIO) -> TextIO:
    guarded: Any = _Guarded(stream)
    return guarded if stream.isatty() else stream
