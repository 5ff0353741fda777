"""How hunts and queries grow with the events: `python benchmarks/hunts.py [--events N]... [--out FILE]`.

Over the days of a made-up fleet (make_fleet.py), each in a fresh process: the hunts, some queries, and the question
of beacons in Polars. benchmarks/README.md tells what is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scale import DEFAULT_DIRECTORY

if TYPE_CHECKING:
    import duckdb

QUERIES = {
    "events by day": "SELECT event_creation_time::DATE AS day, count(*) FROM connections GROUP BY day",
    "top destinations": "SELECT dst_ip, dst_port, count(*) AS n FROM connections GROUP BY ALL ORDER BY n DESC LIMIT 20",
    "one computer": "SELECT process_name, dst_port, count(*) FROM connections "
    "WHERE computer_name = 'WS0013.corp.example' GROUP BY ALL",
    "one address": "SELECT * FROM connections WHERE dst_ip LIKE '185.%' AND dst_port = 22",
    "computers of each process": "SELECT process_name, count(DISTINCT computer_name), count(DISTINCT dst_ip) "
    "FROM connections GROUP BY ALL",
}
HUNTS = ("beacons", "first_seen", "port_scans", "rare_destinations")
_MEMORY_GB, _PEER_MEMORY_GB = 8, 12
_THREADS = 2


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """The fleet's files as the view `connections`, within the memory that the target allows."""
    import duckdb

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from fleet.views import prepare

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": str(_THREADS),
        "memory_limit": f"{_MEMORY_GB * 7 // 8}GB",
        "temp_directory": f"{folder}/spill",
    }
    connection = duckdb.connect(config=config)
    prepare(connection, f"read_parquet('{folder}/day-*.parquet')")
    return connection


def run(task: str, folder: Path) -> int:
    """Do one thing; how many rows it gives."""
    kind, _, name = task.partition(":")
    if kind == "polars":
        # It has no limit of its own: at a hundred million it would take the machine down.
        resource.setrlimit(resource.RLIMIT_AS, (_PEER_MEMORY_GB << 30,) * 2)
        from beacons_polars import beacons

        return beacons(sorted(folder.glob("day-*.parquet"))).height
    connection = connect(folder)
    if kind == "query":
        return int(connection.sql(QUERIES[name]).to_arrow_table().num_rows)
    from procwire.hunts import load
    from procwire.hunts.hunt import find

    return sum(batch.num_rows for batch in find(name, load()).run(connection))


def measure(task: str, folder: Path) -> dict[str, Any] | None:
    """One run in a process of its own: rows, seconds, and the most memory it had; None if it failed."""
    argv = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "POLARS_MAX_THREADS": "2"})
    if done.returncode:
        return None
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _task(task: str, folder: Path) -> None:
    started = time.perf_counter()
    rows = run(task, folder)
    wall_s = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"rows": rows, "wall_s": wall_s, "peak_mb": peak_mb}))


def _tasks() -> list[str]:
    return [*(f"query:{name}" for name in QUERIES), *(f"hunt:{name}" for name in HUNTS), "polars:beacons"]


def _lines(sizes: Sequence[int], directory: Path) -> Iterator[str]:
    yield "| events | what | rows | s | peak MB | us an event |"
    yield "|--:|---|--:|--:|--:|--:|"
    for size in sizes:
        argv = [sys.executable, str(Path(__file__).with_name("make_fleet.py")), "--events", str(size)]
        made = subprocess.run([*argv, "--dir", str(directory)], check=True, stdout=subprocess.PIPE, text=True).stdout
        folder, events = Path(made.split(": ")[0]), int(made.split(": ")[1].split()[0].replace(",", ""))
        for task in _tasks():
            found = measure(task, folder)
            if found is None:
                yield f"| {events:,} | {task.replace(':', ' ')} | failed ||||"
                continue
            took = f"{found['wall_s']:.2f} | {found['peak_mb']:,.0f} | {found['wall_s'] / events * 1e6:.2f}"
            yield f"| {events:,} | {task.replace(':', ' ')} | {found['rows']:,} | {took} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, action="append", help="sizes (default: 1, 10 and 100 million)")
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="of fleets (default: benchmarks/data)")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.task:
        _task(wanted.task, wanted.folder)
        return
    machine = f"{platform.machine()}, {_THREADS} threads, load at the start {os.getloadavg()[0]:.1f}"
    lines = [f"# Hunts, {date.today().isoformat()}", "", machine, ""]
    for line in _lines(wanted.events or [1_000_000, 10_000_000, 100_000_000], wanted.dir):
        print(line, flush=True)
        lines.append(line)
    if wanted.out:
        wanted.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
