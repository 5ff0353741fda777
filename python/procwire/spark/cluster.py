"""Spark as an engine for `query.open_source`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procwire.spark.connection import SparkConnection

__all__ = ["Cluster"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Connect to a cluster that reads lakes: an implementation of `query.protocol.Engine`."""

    master: str | None = None
    """Its URL, such as spark://host:7077; None for that in SPARK_CONF_DIR, else this machine."""

    def connect(
        self,
        lake: str | os.PathLike[str] | None,
        *,
        since: datetime | None,
        until: datetime | None,
        memory_bytes: int | None,
    ) -> SparkConnection:
        """Return Spark over a lake's newest snapshot, without a time limit: the caller enforces one.

        Raises UsageError if there is no lake, PySpark, Java or cluster; LakeError for a lake that Spark cannot read.
        """
        # Import here: they take long to import, and may not be installed.
        from procwire.lake import Lake
        from procwire.spark import connect

        memory = {} if memory_bytes is None else {"spark.driver.memory": f"{max(memory_bytes >> 20, 1)}m"}
        return connect(
            Lake.open(lake), master=self.master, since=since, until=until, configuration=memory, timeout_s=None
        )
