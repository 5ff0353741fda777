"""Which engine answers: DuckDB on this machine, or Spark on a cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from procwire.lake.spark import SparkConnection

__all__ = ["MasterOption", "check_engine", "connect_spark"]

MasterOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where Spark runs: spark://host:7077, yarn, local[4]. [default: as configured, else this machine]",
    ),
]


def check_engine(engine: str, master: str | None, files: Sequence[str] | None) -> None:
    """Raise UsageError for options that the engine cannot use."""
    if engine == "spark" and files:
        raise UsageError(
            "found --files and --engine spark, expected a lake, which the cluster can read: `read --to lake`"
        )
    if engine == "duckdb" and master is not None:
        raise UsageError("found --master, expected --engine spark with it")


def connect_spark(location: str | None, master: str | None, since: datetime | None) -> SparkConnection:
    """Spark over a lake. Raises UsageError if there is none, or no cluster."""
    from procwire.lake import Lake
    from procwire.lake.spark import connect

    # PySpark asks whether there is numpy, and must get an answer from what hides it (`cli.main`).
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "procwire.cli"]
    return connect(Lake.open(location), master=master, since=since)
