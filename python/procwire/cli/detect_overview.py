"""Matches for people: what matched on which host, and the latest of them with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import BinaryIO

import pyarrow as pa

from procwire.plain import plain
from procwire.sigma.describe import Row, reason, shown_time, what_happened
from procwire.sigma.overview import MatchCount, MatchOverview
from procwire.sinks import Terminal
from procwire.sinks.layout import pad, shorten, styled

__all__ = ["Overview"]

_LEVEL_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_INDENT = " " * 4
_DEFAULT_WIDTH = 160
_TITLES = ("LEVEL", "MATCHES", "RULE", "HOST", "FIRST (UTC)", "LAST (UTC)")
_COUNT_WIDTH, _TIME_WIDTH = 8, 19


class Overview:
    """Keeps what it is given, and shows at the end what matched on which host, then the latest `most` matches."""

    def __init__(self, stream: BinaryIO, terminal: Terminal | None, most: int | None) -> None:
        self._matches = MatchOverview(most)
        self._stream = stream
        self._width = terminal.width if terminal else shutil.get_terminal_size((_DEFAULT_WIDTH, 0)).columns
        self._colours = terminal is not None and terminal.colours

    @property
    def count(self) -> int:
        """Matches so far."""
        return self._matches.count

    @property
    def is_full(self) -> bool:
        """Never: the overview counts all."""
        return False

    def write(self, batch: pa.RecordBatch) -> None:
        """Count the matches, and keep those that may be among the latest."""
        self._matches.add(batch)

    def close(self) -> None:
        """Show both."""
        if self.count:
            latest = self._matches.latest()
            lines = [*self._overview(self._matches.counts()), "", self._headline(len(latest))]
            for row in latest:
                lines += _match_lines(row, self._width, colours=self._colours)
            self._stream.write(("\n".join(lines) + "\n").encode())

    def _headline(self, shown: int) -> str:
        text = f"The latest {shown:,} of {self.count:,} matches" if shown < self.count else "Matches, the latest first"
        return self._styled(text, "bold")

    def _overview(self, counts: Sequence[MatchCount]) -> list[str]:
        level = max(len(count.level) for count in counts)
        free = self._width - level - _COUNT_WIDTH - 2 * _TIME_WIDTH - 5 * 2
        host = min(max(len(count.host or "-") for count in counts), max(free * 2 // 5, 12))
        rule = min(max(len(count.title) for count in counts), max(free - host, 20))
        widths = (max(level, 5), _COUNT_WIDTH, rule, host, _TIME_WIDTH, _TIME_WIDTH)
        lines = [self._styled(_line(_TITLES, widths), "bold")]
        for count in counts:
            times = (shown_time(time)[:_TIME_WIDTH] for time in (count.first, count.last))
            names = (plain(count.title), plain(count.host or "-"))
            rest = _line((count.level, f"{count.matches:,}", *names, *times), widths)
            lines.append(self._styled(count.level, _LEVEL_STYLES.get(count.level, "")) + rest[len(count.level) :])
        return lines

    def _styled(self, text: str, style: str) -> str:
        start, end = styled(style) if self._colours and style else ("", "")
        return f"{start}{text}{end}"


def _line(cells: Sequence[str], widths: tuple[int, ...]) -> str:
    fitted = (
        pad(shorten(cell, width), width, right=place == 1)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(fitted).rstrip()


def _match_lines(row: Row, width: int, *, colours: bool) -> Iterator[str]:
    """A match on a terminal: its rule, what happened, and why it matched."""
    start, end = styled(_LEVEL_STYLES.get(row["rule_level"], "bold")) if colours else ("", "")
    yield f"{shown_time(row['time'])}  {start}{row['rule_level']}{end}  {plain(row['rule_title'])}"
    for text in (what_happened(row), reason(row)):
        yield from wrap(text, max(width, 40), initial_indent=_INDENT, subsequent_indent=_INDENT * 2)
