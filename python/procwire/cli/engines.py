"""Which engine answers: DuckDB on this machine, or Spark on a cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.spark import SparkConnection

__all__ = ["connect_spark"]


def connect_spark(
    location: str | None,
    master: str | None,
    since: datetime | None,
    until: datetime | None,
    memory_bytes: int | None = None,
) -> SparkConnection:
    """Return Spark over a lake; memory_bytes: of its process on this machine, None for Spark's default.

    Raises UsageError if there is no lake, or no cluster.
    """
    from procwire.lake import Lake
    from procwire.spark import connect

    # PySpark asks whether there is numpy, and must get an answer from what hides it (`cli.main`).
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "procwire.cli"]
    memory = {} if memory_bytes is None else {"spark.driver.memory": f"{max(memory_bytes >> 20, 1)}m"}
    # Time is kept where the question is asked.
    return connect(Lake.open(location), master=master, since=since, until=until, configuration=memory, timeout_s=None)
