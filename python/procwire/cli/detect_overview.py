"""Matches for people: what matched on which host, and the latest of them with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sigma import LEVELS
from procwire.sigma.describe import LEVEL_STYLES, match_lines, shown_time
from procwire.sinks import Terminal
from procwire.sinks.layout import pad, shorten, styled
from procwire.sinks.plain import plain

__all__ = ["Overview"]

Row = dict[str, Any]

_NEEDED = (
    "rule_id", "rule_title", "rule_level", "matched", "correlated_events", "first_seen", "last_seen", "computer_name",
    "process_name", "process_id", "user_name", "process_command_line", "network_protocol",
    "network_connection_initiated", "src_ip", "src_port", "src_host_name", "dst_ip", "dst_port", "dst_host_name",
    "record_kind", "outcome", "record_id",
)  # fmt: skip
_KEYS = ("rule_level", "rule_title", "rule_id", "computer_name")
_DEFAULT_WIDTH = 160
_TITLES = ("LEVEL", "MATCHES", "RULE", "HOST", "FIRST (UTC)", "LAST (UTC)")
_COUNT_WIDTH, _TIME_WIDTH = 8, 19


class Overview:
    """Keeps what it is given, and shows at the end what matched on which host, then the latest `most` matches."""

    def __init__(self, stream: BinaryIO, terminal: Terminal | None, most: int | None) -> None:
        self.count = 0
        self._stream = stream
        self._width = terminal.width if terminal else shutil.get_terminal_size((_DEFAULT_WIDTH, 0)).columns
        self._colours = terminal is not None and terminal.colours
        self._most = most
        self._counts: list[pa.Table] = []
        self._latest: list[pa.Table] = []

    @property
    def is_full(self) -> bool:
        """Never: the overview counts all."""
        return False

    def write(self, batch: pa.RecordBatch) -> None:
        """Count the matches, and keep those that may be among the latest."""
        time = pc.coalesce(batch.column("event_creation_time"), batch.column("event_recorded_time"))
        first = pc.coalesce(batch.column("first_seen"), time)
        rows = pa.Table.from_batches([batch]).select(_NEEDED).append_column("time", time)
        counted = rows.select(_KEYS).append_column("first", first).append_column("last", time)
        counted = counted.append_column("matches", pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows))
        self._counts = [_summed([*self._counts, counted])]
        self._latest = [_newest([*self._latest, rows], self._most)]
        self.count += batch.num_rows

    def close(self) -> None:
        """Show both."""
        if self.count:
            lines = [*self._overview(self._counts[0].to_pylist()), "", self._headline()]
            for row in self._latest[0].to_pylist():
                lines += match_lines(row, self._width, colours=self._colours)
            self._stream.write(("\n".join(lines) + "\n").encode())

    def _headline(self) -> str:
        shown = self._latest[0].num_rows
        text = f"The latest {shown:,} of {self.count:,} matches" if shown < self.count else "Matches, the latest first"
        return self._styled(text, "bold")

    def _overview(self, rows: list[Row]) -> list[str]:
        rows.sort(key=lambda row: (-LEVELS.index(row["rule_level"]), -row["matches"], row["rule_title"]))
        level = max(len(row["rule_level"]) for row in rows)
        free = self._width - level - _COUNT_WIDTH - 2 * _TIME_WIDTH - 5 * 2
        host = min(max(len(row["computer_name"] or "-") for row in rows), max(free * 2 // 5, 12))
        rule = min(max(len(row["rule_title"]) for row in rows), max(free - host, 20))
        widths = (max(level, 5), _COUNT_WIDTH, rule, host, _TIME_WIDTH, _TIME_WIDTH)
        lines = [self._styled(_line(_TITLES, widths), "bold")]
        for row in rows:
            times = (shown_time(row[name])[:_TIME_WIDTH] for name in ("first", "last"))
            names = (plain(row["rule_title"]), plain(row["computer_name"] or "-"))
            level = row["rule_level"]
            rest = _line((level, f"{row['matches']:,}", *names, *times), widths)
            lines.append(self._styled(level, LEVEL_STYLES.get(level, "")) + rest[len(level) :])
        return lines

    def _styled(self, text: str, style: str) -> str:
        start, end = styled(style) if self._colours and style else ("", "")
        return f"{start}{text}{end}"


def _summed(tables: list[pa.Table]) -> pa.Table:
    sums = [("matches", "sum"), ("first", "min"), ("last", "max")]
    found = pa.concat_tables(tables).group_by(list(_KEYS)).aggregate(sums)
    names = {f"{name}_{kind}": name for name, kind in sums}
    return found.rename_columns([names.get(name, name) for name in found.column_names]).select(
        [*_KEYS, "first", "last", "matches"]
    )


def _newest(tables: list[pa.Table], most: int | None) -> pa.Table:
    found = pa.concat_tables(tables)
    order = pc.sort_indices(found, sort_keys=[("time", "descending"), ("record_id", "descending")])
    return found.take(order if most is None else order[:most])


def _line(cells: Sequence[str], widths: tuple[int, ...]) -> str:
    fitted = (
        pad(shorten(cell, width), width, right=place == 1)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(fitted).rstrip()
