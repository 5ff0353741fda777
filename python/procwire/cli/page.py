"""Pages of text on stdout: lines, and listings of texts about a file, each beside its line number."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from procwire.cli.output import Output
from procwire.cli.terminal import styled

if TYPE_CHECKING:
    from procwire.sysmon.explaining.logic import Line

__all__ = ["Page"]


class Page:
    """Write to stdout; strong lines are bold on a terminal that supports it."""

    def __init__(self) -> None:
        from procwire.sinks import layout

        terminal = Output(None).terminal
        self.width = terminal.width if terminal else None
        self._bold = layout.styled("bold") if terminal and terminal.colours else ("", "")

    def line(self, text: str = "", *, strong: bool = False) -> None:
        """Write a line."""
        from procwire.plain import plain

        # Files and logs hold untrusted text, and terminals execute control characters.
        start, end = self._bold if strong else ("", "")
        styled(sys.stdout).write(f"{start}{plain(text)}{end}\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Write several lines."""
        for text in texts:
            self.line(text)

    def listing(self, lines: Iterable[Line]) -> None:
        """Write lines with their line numbers on the left."""
        lines = list(lines)
        width = max((len(str(line.number)) for line in lines if line.number), default=0)
        for line in lines:
            number = "" if line.number is None else str(line.number)
            self.line(f"  {number:>{width}}  {'  ' * line.depth}{line.text}", strong=line.strong)
