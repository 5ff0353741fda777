"""Queries on Spark and on DuckDB: `python benchmarks/spark_costs.py [--dir DIR] [--events N ...] [--out FILE]`.

Over a compacted lake of a made-up fleet (make_fleet.py), on this machine: Spark in one process with as many cores. Each
question is asked twice, and the second time is reported: the first one compiles. That of Spark's session stands apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import procwire
from lake import stored
from make_fleet import make
from procwire.hunts import find, load
from procwire.lake.lake import Lake
from procwire.spark import connect
from scale import DEFAULT_DIRECTORY

if TYPE_CHECKING:
    from procwire.query.protocol import Connection

HUNTS = ("beacons", "first_seen", "port_scans", "top_talkers")
_TIMES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="of fleets (default: benchmarks/data)")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    cores = os.cpu_count() or 1
    head = f"{cores} cores, load average before it {os.getloadavg()[0]:.1f}; seconds, and rows that were found."
    lines = [f"# Spark and DuckDB, {date.today().isoformat()}", "", head, ""]
    lines += ["| events | what | Spark | DuckDB | rows |", "|--:|---|--:|--:|--:|"]
    for events in wanted.events:
        for line in _lines(make(wanted.dir, events), cores):
            print(line, flush=True)
            lines.append(line)
    if wanted.out:
        wanted.out.write_text("\n".join(lines) + "\n")


def _lines(fleet: Path, cores: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, create=True)
        for number, rows in enumerate(stored(fleet)):
            lake.append(rows, source="fleet", version=number)
        lake.compact()
        events = lake.info().events
        started_s = time.perf_counter()
        with connect(lake, master=f"local[{cores}]") as spark, closing(procwire.connect(folder)) as duckdb:
            yield f"| {events:,} | session, with views | {time.perf_counter() - started_s:.1f} | | |"
            for name in HUNTS:
                (spark_s, rows), (duckdb_s, expected) = _asked(name, spark), _asked(name, duckdb)
                assert rows == expected
                yield f"| {events:,} | hunt {name} | {spark_s:.1f} | {duckdb_s:.2f} | {rows:,} |"


def _asked(hunt: str, connection: Connection) -> tuple[float, int]:
    """Return the seconds of the last run, and the number of rows."""
    for _ in range(_TIMES):
        started_s = time.perf_counter()
        rows = sum(batch.num_rows for batch in find(hunt, load()).run(connection))
    return time.perf_counter() - started_s, rows


if __name__ == "__main__":
    main()
