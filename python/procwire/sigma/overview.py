"""Add up matches: how often each rule matched on each host, and the latest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sigma.model.rule import LEVELS

if TYPE_CHECKING:
    from procwire.choices import Level

__all__ = ["MatchCount", "MatchOverview"]

_NEEDED = (
    "rule_id", "rule_title", "rule_level", "matched", "correlated_events", "first_seen", "last_seen", "computer_name",
    "process_name", "process_id", "user_name", "process_command_line", "network_protocol",
    "network_connection_initiated", "src_ip", "src_port", "src_host_name", "dst_ip", "dst_port", "dst_host_name",
    "record_kind", "outcome", "record_id",
)  # fmt: skip
_KEYS = ("rule_level", "rule_title", "rule_id", "computer_name")


@dataclass(frozen=True, slots=True)
class MatchCount:
    """Hold how often a rule matched on a host."""

    level: Level
    title: str
    rule_id: str | None
    host: str | None
    """The computer's name; None if the events do not name it."""
    matches: int
    first: datetime | None
    last: datetime | None


class MatchOverview:
    """Add up batches of `sigma.SCHEMA`, and store the latest `most` matches, or all with None.

    Not safe for use by several threads.
    """

    def __init__(self, most: int | None = None) -> None:
        self.count = 0
        """Number of matches so far."""
        self._most = most
        self._counts: list[pa.Table] = []
        self._latest: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the matches, and store those that may be among the latest."""
        time = pc.coalesce(batch.column("event_creation_time"), batch.column("event_recorded_time"))
        first = pc.coalesce(batch.column("first_seen"), time)
        rows = pa.Table.from_batches([batch]).select(_NEEDED).append_column("time", time)
        counted = rows.select(_KEYS).append_column("first", first).append_column("last", time)
        counted = counted.append_column("matches", pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows))
        self._counts = [_summed([*self._counts, counted])]
        self._latest = [_newest([*self._latest, rows], self._most)]
        self.count += batch.num_rows

    def counts(self) -> list[MatchCount]:
        """Return the counts, the highest level first, within it the most matches."""
        rows = [row for table in self._counts for row in table.to_pylist()]
        rows.sort(key=lambda row: (-LEVELS.index(row["rule_level"]), -row["matches"], row["rule_title"]))
        return [
            MatchCount(
                row["rule_level"],
                row["rule_title"],
                row["rule_id"],
                row["computer_name"],
                row["matches"],
                row["first"],
                row["last"],
            )
            for row in rows
        ]

    def latest(self) -> list[Mapping[str, Any]]:
        """Return the latest matches, the latest first, as rows for `sigma.describe`."""
        return [row for table in self._latest for row in table.to_pylist()]


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
