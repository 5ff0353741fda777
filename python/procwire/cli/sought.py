"""What a question is asked of: logs, or the lake, all of it or a period, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.asking import AbandonedError
from procwire.cli.engines import connect_spark
from procwire.cli.progress import shown_progress
from procwire.cli.quantities import point_in_time, seconds, size_bytes
from procwire.cli.unpacking import unpack_limits
from procwire.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from procwire.engine import Limits
    from procwire.lake.engines import Connection
    from procwire.ledger import Ledger
    from procwire.sources.limits import UnpackLimits

__all__ = [
    "Engine",
    "EngineOption",
    "LakeOption",
    "MasterOption",
    "MemoryOption",
    "SinceOption",
    "Sought",
    "SpillOption",
    "TimeoutOption",
    "UntilOption",
    "opened",
]

# Kept until the process ends, for to close them would be to wait.
_ABANDONED: list[object] = []

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

# With less no query begins; a number alone is bytes, and most likely meant GiB.
_LEAST_MEMORY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Sought:
    """The options that say it, and what may be spent on it."""

    logs: Sequence[str] | None
    lake: str | None
    since: str | None
    until: str | None
    engine: Engine = "duckdb"
    master: str | None = None
    memory: str | None = None
    spill: str | None = None
    timeout: str = "1h"
    unpack: str | None = None

    def period(self) -> tuple[datetime | None, datetime | None]:
        """From when on, and before when. Raises UsageError for a time that is none, or a period that is none."""
        from procwire.lake.period import check_period

        start, end = point_in_time(self.since), point_in_time(self.until)
        check_period(start, end)
        return start, end

    def limits(self) -> Limits:
        """Return what the question may use. Raises UsageError for a size or a time that is none."""
        from procwire.engine import Limits
        from procwire.engine.limits import default_memory_bytes, default_spill_bytes

        memory_bytes = default_memory_bytes() if self.memory is None else size_bytes(self.memory)
        if self.memory is not None and memory_bytes < _LEAST_MEMORY_BYTES:
            raise UsageError(f"found --memory {self.memory}, expected 16MiB or more, such as 4GiB")
        return Limits(
            memory_bytes,
            default_spill_bytes() if self.spill is None else size_bytes(self.spill),
            None if self.timeout.lower() in ("none", "0") else seconds(self.timeout),
        )


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
    unpack = unpack_limits(sought.unpack)
    if sought.engine == "spark" and sought.spill is not None:
        raise UsageError("found --spill and --engine spark, which has no such limit; expected one of them")
    # Time is kept where the question is asked, not by the engine: what takes the rows may take its time.
    return _opened(sought, *sought.period(), replace(sought.limits(), timeout_s=None), unpack)


@contextmanager
def _opened(
    sought: Sought, since: datetime | None, until: datetime | None, limits: Limits, unpack: UnpackLimits
) -> Iterator[tuple[Connection, Ledger | None]]:
    from procwire.engine import sql_errors

    # Whatever is asked: a file may be damaged, which DuckDB says in its own way.
    with sql_errors(), _connected(sought, since, until, limits, unpack) as found:
        yield found


@contextmanager
def _connected(
    sought: Sought, since: datetime | None, until: datetime | None, limits: Limits, unpack: UnpackLimits
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
                limits=limits,
                ledger=ledger,
                on_progress=on_progress,
                unpack=unpack,
            )
        with _closed(connection):
            yield connection, ledger
    elif sought.engine == "spark":
        # Without the option Spark's own limit: 1 GB, unless it is configured.
        memory_bytes = None if sought.memory is None else limits.memory_bytes
        with connect_spark(sought.lake, sought.master, since, until, memory_bytes) as cluster:
            yield cluster, None
    else:
        with _closed(connect_lake(sought.lake, since=since, until=until, limits=limits)) as database:
            yield database, None


@contextmanager
def _closed(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Close a connection at the end of the block, unless it is still busy with what was abandoned."""
    try:
        yield connection
    except AbandonedError:
        _ABANDONED.append(connection)
        raise
    except BaseException:
        connection.close()
        raise
    connection.close()
