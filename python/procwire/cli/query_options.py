"""The options that say what is queried, and their values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from procwire.cli.unpacking import unpack_limits
from procwire.errors import UsageError
from procwire.units import point_in_time, seconds, size_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.choices import EngineName
    from procwire.query import QuerySource
    from procwire.query.protocol import Engine as QueryEngine

__all__ = ["OPTION_NAMES", "QueryOptions", "period"]

# With less, no query can start; a number without unit is bytes, but most likely GiB was meant.
_LEAST_MEMORY_BYTES = 16 << 20
OPTION_NAMES = {
    "logs": "logs",
    "lake": "--lake",
    "engine": "--engine spark",
    "spill_bytes": "--spill",
    "unpack": "--unpack-limits",
    "since": "--since",
}
"""The command line's names of `QuerySource`'s attributes."""


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """Hold the options that `sql`, `hunt` and `detect` have in common, as the user wrote them: what to query, and how.

    logs: paths; None or empty for the lake. timeout: a duration, or `none`.
    """

    logs: Sequence[str] | None
    lake: str | None
    since: str | None
    until: str | None
    engine: EngineName = "duckdb"
    master: str | None = None
    memory: str | None = None
    spill: str | None = None
    timeout: str = "1h"
    unpack: str | None = None

    def source(self) -> QuerySource:
        """Return the source that they describe. Raises UsageError for a text that cannot be parsed."""
        from procwire.query import QuerySource

        memory_bytes = None if self.memory is None else size_bytes(self.memory)
        if memory_bytes is not None and memory_bytes < _LEAST_MEMORY_BYTES:
            raise UsageError(f"found --memory {self.memory}, expected 16MiB or more, such as 4GiB")
        return QuerySource(
            logs=self.logs,
            lake=self.lake,
            since=point_in_time(self.since),
            until=point_in_time(self.until),
            engine=self._engine(),
            memory_bytes=memory_bytes,
            spill_bytes=None if self.spill is None else size_bytes(self.spill),
            timeout_s=None if self.timeout.lower() in ("none", "0") else seconds(self.timeout),
            unpack=None if self.unpack is None else unpack_limits(self.unpack),
        )

    def _engine(self) -> QueryEngine | None:
        if self.engine == "duckdb":
            if self.master is not None:
                raise UsageError("found --master, expected --engine spark with it")
            return None
        from procwire.spark.cluster import Cluster

        # PySpark asks whether there is numpy, and must get an answer from what hides it (`cli.main`).
        sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "procwire.cli"]
        return Cluster(self.master)


def period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the times of --since and --until. Raises UsageError for an unreadable time, and for an empty period."""
    from procwire.period import check_period

    start, end = point_in_time(since), point_in_time(until)
    check_period(start, end)
    return start, end
