"""Costs of digests, the commit chain and served files in appends, queries and connecting, as CPU time.

    .venv/bin/python benchmarks/lake_checks.py                      # this checkout
    PYTHONPATH=OTHER/python .venv/bin/python benchmarks/lake_checks.py    # another one, whose core is built

Prints a line for each; run both in turn, on a quiet machine.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

import procwire
from procwire.event import LIVE_SCHEMA
from procwire.lake.lake import Lake

START = datetime(2024, 3, 1, tzinfo=UTC)
APPENDS, APPEND_ROWS = 40, 50
STORED_ROWS = 400_000
QUERIES = (
    "SELECT count(*), sum(dst_port) FROM connections",
    "SELECT process_name, count(DISTINCT dst_ip) FROM connections GROUP BY ALL",
)


def rows(count: int, first: int) -> pa.RecordBatch:
    """Return connections, one per second."""
    made = (
        {
            "record_id": first + number,
            "computer_name": "a",
            "process_name": f"/bin/p{number % 50}",
            "dst_ip": f"10.0.{number % 256}.{number % 199}",
            "dst_port": number % 60_000,
            "event_creation_time": START + timedelta(seconds=number),
            "event_recorded_time": START + timedelta(seconds=number),
            "record_kind": "connection",
        }
        for number in range(count)
    )
    return pa.RecordBatch.from_pylist(list(made), schema=LIVE_SCHEMA)


def measured(job: Callable[[], object]) -> tuple[float, float]:
    """Return wall-clock and CPU time of a job, in milliseconds."""
    start_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    job()
    after, wall_s = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - start_s
    return wall_s * 1e3, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def report(name: str, times: list[tuple[float, float]]) -> None:
    """Print the medians."""
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{name}: wall {wall:.1f} ms, processor {cpu:.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        location = f"{folder}/lake"
        lake = Lake.open(location, create=True)
        batch = rows(APPEND_ROWS, 0)
        times = [measured(lambda n=n: lake.append([batch], source="s", version=n)) for n in range(APPENDS)]  # type: ignore[misc]
        report(f"append of {APPEND_ROWS} rows", times[3:])
        for number in range(2):
            lake.append([rows(STORED_ROWS, 1_000_000 * (number + 1))], source="large", version=number)
        lake.compact()
        report("connect", [measured(lambda: procwire.connect(location)) for _ in range(7)])
        for query in QUERIES:
            database = procwire.connect(location)
            report(query, [measured(lambda: database.sql(query).fetchall()) for _ in range(7)])  # noqa: B023


if __name__ == "__main__":
    main()
