"""What rules are asked over: logs, or the lake, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from procwire.cli.engines import connect_spark
from procwire.cli.progress import shown_progress
from procwire.errors import UsageError

if TYPE_CHECKING:
    from procwire.lake.engines import Connection, Engine
    from procwire.ledger import Ledger

__all__ = ["opened"]


@contextmanager
def opened(
    logs: Sequence[str], lake: str | None, since: str | None, engine: Engine = "duckdb", master: str | None = None
) -> Iterator[tuple[Connection, Ledger | None]]:
    """A connection to the logs, or without any to the lake; of logs with the account of their reading.

    Raises UsageError for options that contradict each other, and if there is no lake.
    """
    from procwire.cli.quantities import point_in_time
    from procwire.database import connect_lake, connect_logs
    from procwire.ledger import Ledger

    _check(logs, lake, engine, master)
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


def _check(logs: Sequence[str], lake: str | None, engine: str, master: str | None) -> None:
    if logs and lake is not None:
        raise UsageError("found logs and --lake, expected one of them")
    if logs and engine == "spark":
        raise UsageError("found logs and --engine spark, expected a lake, which the cluster can read: `read --to lake`")
    if engine == "duckdb" and master is not None:
        raise UsageError("found --master, expected --engine spark with it")
