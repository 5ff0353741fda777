"""Options that verbs share, each declared once, and what those of a query stand for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.choices import EngineName, Names
from procwire.cli.unpacking import UnpackOption, unpack_limits
from procwire.cli.ways import RowsWay, Way
from procwire.errors import UsageError
from procwire.units import point_in_time, seconds, size_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.query import QuerySource
    from procwire.query.protocol import Engine as QueryEngine

__all__ = [
    "ColumnsOption",
    "EngineOption",
    "EventColumnsOption",
    "FilesOption",
    "ForceOption",
    "LakeOption",
    "LogsArgument",
    "MasterOption",
    "MemoryOption",
    "NamesOption",
    "OutputOption",
    "QueryOptions",
    "RowsToOption",
    "SinceOption",
    "SpillOption",
    "TimeoutOption",
    "ToOption",
    "UnpackOption",
    "UntilOption",
    "WhereOption",
    "option_names",
]


def _file(path: Path | None) -> Path | None:
    """`-` is stdout, as no file is."""
    return None if path == Path("-") else path


FilesOption = Annotated[
    list[str] | None,
    typer.Option("--files", metavar="PATH", help="Query logs instead of the lake, or Parquet files; repeatable."),
]
LogsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LOG]...", help="Logs to look in, or Parquet files; without one the lake.", show_default=False
    ),
]
LakeOption = Annotated[
    str | None,
    typer.Option(
        "--lake", metavar="DIR", help="The lake: a folder or URI. [default: PROCWIRE_LAKE, else the user's own]"
    ),
]
SinceOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="From then on: 7d (ago), 2024-03-01, 2024-03-01T12:00 (UTC).")
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Before then, likewise.")]
EngineOption = Annotated[EngineName, typer.Option(help="What answers: DuckDB on this machine, or Spark on a cluster.")]
MasterOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where Spark runs: spark://host:7077, yarn, local[4]. [default: as configured, else this machine]",
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory that the question may use: 4GiB. [default: half of the machine's]"),
]
SpillOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Temporary files beside it, in TMPDIR. [default: half of what is free there]"),
]
TimeoutOption = Annotated[
    str, typer.Option(metavar="TIME", help="End the question after this time, such as 10m; none is no limit.")
]
_TO = typer.Option(help="Format of the result. [default: by the suffix of -o; table on a terminal; else ndjson]")
ToOption = Annotated[Way | None, _TO]
RowsToOption = Annotated[RowsWay | None, _TO]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of stdout.", callback=_file),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Overwrite files that are there: without it they are never touched.")
]
ColumnsOption = Annotated[str | None, typer.Option(metavar="A,B,...", help="These columns of the result.")]
EventColumnsOption = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="Columns of the result, in this order; `procwire dictionary` lists them."),
]
NamesOption = Annotated[
    Names, typer.Option(help="Names of the columns: OSSEM's, Sysmon's own, or OSSEM's of today (CDM).")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SQL",
        help="Keep rows for which this predicate holds, in DuckDB's SQL over the columns. May be repeated: all must "
        "hold.",
    ),
]

# With less no query begins; a number alone is bytes, and most likely meant GiB.
_LEAST_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options that say what is queried, as the user wrote them."""

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

    def period(self) -> tuple[datetime | None, datetime | None]:
        """From when on, and before when. Raises UsageError for a time that is none, or a period that is none."""
        from procwire.period import check_period

        start, end = point_in_time(self.since), point_in_time(self.until)
        check_period(start, end)
        return start, end

    def source(self) -> QuerySource:
        """Return what they stand for. Raises UsageError for a text that cannot be read."""
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


def option_names(logs: str = "logs") -> Mapping[str, str]:
    """What the command line calls the attributes of `QuerySource`; logs: what it calls those."""
    return {
        "logs": logs,
        "lake": "--lake",
        "engine": "--engine spark",
        "spill_bytes": "--spill",
        "unpack": "--unpack-limits",
    }
