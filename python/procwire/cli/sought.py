"""What a question is asked of: logs, or the lake, all of it or a period, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.engines import connect_spark
from procwire.cli.progress import shown_progress
from procwire.cli.quantities import point_in_time
from procwire.cli.unpacking import unpack_limits
from procwire.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.lake.engines import Connection
    from procwire.ledger import Ledger

__all__ = ["Engine", "EngineOption", "LakeOption", "MasterOption", "SinceOption", "Sought", "UntilOption", "opened"]

Engine = Literal["duckdb", "spark"]

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
EngineOption = Annotated[Engine, typer.Option(help="What answers: DuckDB on this machine, or Spark on a cluster.")]
MasterOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where Spark runs: spark://host:7077, yarn, local[4]. [default: as configured, else this machine]",
    ),
]


@dataclass(frozen=True, slots=True)
class Sought:
    """The options that say it."""

    logs: Sequence[str] | None
    lake: str | None
    since: str | None
    until: str | None
    engine: Engine = "duckdb"
    master: str | None = None
    unpack: str | None = None

    def period(self) -> tuple[datetime | None, datetime | None]:
        """From when on, and before when. Raises UsageError for a time that is none, or a period that is none."""
        from procwire.lake.period import check_period

        start, end = point_in_time(self.since), point_in_time(self.until)
        check_period(start, end)
        return start, end


def opened(sought: Sought, *, called: str = "logs") -> AbstractContextManager[tuple[Connection, Ledger | None]]:
    """A connection to the logs, or without any to the lake; of logs with the account of their reading.

    called: the option that names the logs. Raises UsageError for options that contradict each other or cannot be used,
    at once; and, when it is entered, if there is no lake.
    """
    if sought.logs and sought.lake is not None:
        raise UsageError(f"found {called} and --lake, expected one of them")
    if sought.logs and sought.engine == "spark":
        raise UsageError(
            f"found {called} and --engine spark, expected a lake, which the cluster can read: `read --to lake`"
        )
    if sought.engine == "duckdb" and sought.master is not None:
        raise UsageError("found --master, expected --engine spark with it")
    if sought.unpack is not None and not sought.logs:
        raise UsageError(f"found --unpack-limits, expected {called} with it: a lake is not packed")
    unpack_limits(sought.unpack)
    return _opened(sought, *sought.period())


@contextmanager
def _opened(
    sought: Sought, since: datetime | None, until: datetime | None
) -> Iterator[tuple[Connection, Ledger | None]]:
    from procwire.database import connect_lake, connect_logs
    from procwire.ledger import Ledger

    if sought.logs:
        ledger = Ledger()
        with shown_progress(hidden=False) as on_progress:
            connection = connect_logs(
                sought.logs,
                since=since,
                until=until,
                ledger=ledger,
                on_progress=on_progress,
                unpack=unpack_limits(sought.unpack),
            )
        with connection:
            yield connection, ledger
    elif sought.engine == "spark":
        with connect_spark(sought.lake, sought.master, since, until) as cluster:
            yield cluster, None
    else:
        with connect_lake(sought.lake, since=since, until=until) as database:
            yield database, None
