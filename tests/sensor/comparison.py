"""Truth against record: each event that is due exactly once, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from traffic.witness import Row

from procwire.guid import decode_guid

__all__ = ["compare"]

_SHOWN = 5


def compare(truth: Sequence[Row], seen: Sequence[Row]) -> str:
    """What differs, in words; empty if nothing does.

    truth: rows with the columns that are compared, others are free; `start_ticks` is what the ProcessGuid must hold.
    """
    missing, left = _match(truth, [_with_start(row) for row in seen])
    if not missing and not left:
        return ""
    lines = [f"{len(truth)} events are due, {len(seen)} were seen: {len(missing)} missing, {len(left)} beyond"]
    for row in missing[:_SHOWN]:
        lines.append(f"missing: {row}")
        if left:
            nearest = min(left, key=lambda other: len(_differing(row, other)))
            lines.append(f"  nearest, but for {_differing(row, nearest)}")
    columns = {column for row in truth for column in row} | {"process_id", "record_kind", "attribution", "src_ip"}
    lines += [f"beyond: { {column: row.get(column) for column in sorted(columns)} }" for row in left[:_SHOWN]]
    return "\n".join(lines)


def _with_start(row: Row) -> Row:
    guid = row["process_guid"]
    return {**row, "start_ticks": None if guid is None else decode_guid(guid).start_ticks}


def _match(truth: Sequence[Row], seen: list[Row]) -> tuple[list[Row], list[Row]]:
    """Truth that was not seen, and what was seen beyond it. The most precise truth has the first choice."""
    by_columns: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in truth:
        by_columns[tuple(sorted(row))].append(row)
    missing = []
    left = dict(enumerate(seen))
    for columns in sorted(by_columns, key=len, reverse=True):
        places = _index(left, columns)
        for row in by_columns[columns]:
            found = places[_key(row, columns)]
            if found:
                del left[found.pop()]
            else:
                missing.append(row)
    return missing, list(left.values())


def _index(rows: dict[int, Row], columns: Iterable[str]) -> dict[tuple[Any, ...], list[int]]:
    places = defaultdict(list)
    for place, row in rows.items():
        places[_key(row, columns)].append(place)
    return places


def _key(row: Row, columns: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in columns)


def _differing(truth: Row, seen: Row) -> dict[str, Any]:
    return {column: seen.get(column) for column, value in truth.items() if seen.get(column) != value}
