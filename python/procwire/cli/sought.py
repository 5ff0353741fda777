"""What a question is asked of: logs, or the lake, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from procwire.cli.engines import connect_spark
from procwire.cli.progress import shown_progress
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.lake.engines import Connection, Engine
    from procwire.ledger import Ledger

__all__ = ["opened"]


def opened(
    logs: Sequence[str] | None,
    lake: str | None,
    since: str | None,
    engine: Engine = "duckdb",
    master: str | None = None,
    *,
    called: str = "logs",
) -> AbstractContextManager[tuple[Connection, Ledger | None]]:
    """A connection to the logs, or without any to the lake; of logs with the account of their reading.

    called: the option that names the logs. Raises UsageError for options that contradict each other, at once; and, when
    it is entered, for a time that is none, and if there is no lake.
    """
    if logs and lake is not None:
        raise UsageError(f"found {called} and --lake, expected one of them")
    if logs and engine == "spark":
        raise UsageError(
            f"found {called} and --engine spark, expected a lake, which the cluster can read: `read --to lake`"
        )
    if engine == "duckdb" and master is not None:
        raise UsageError("found --master, expected --engine spark with it")
    return _opened(logs, lake, since, engine, master)


@contextmanager
def _opened(
    logs: Sequence[str] | None, lake: str | None, since: str | None, engine: Engine, master: str | None
) -> Iterator[tuple[Connection, Ledger | None]]:
    from procwire.cli.quantities import point_in_time
    from procwire.database import connect_lake, connect_logs
    from procwire.ledger import Ledger

    start = point_in_time(since)
    if logs:
        ledger = Ledger()
        with shown_progress(hidden=False) as on_progress:
            connection = connect_logs(logs, since=start, ledger=ledger, on_progress=on_progress)
        with connection:
            yield connection, ledger
    elif engine == "spark":
        with connect_spark(lake, master, start) as cluster:
            yield cluster, None
    else:
        with connect_lake(lake, since=start) as database:
            yield database, None
