"""Costs of hunts and queries by number of events: `python benchmarks/hunts.py [--events N]... [--out FILE]`.

Over the days of a made-up fleet (make_fleet.py), each in a fresh process: every hunt, some queries, and the question
of beacons in Polars. `--only hunt:port_scans` measures one of them. benchmarks/README.md says what is compared.
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

from procwire.hunts import find, load
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
# For the hunts that need a target: the most general value of each.
PARAMETERS = {"process": "chrome.exe", "computer": "WS0013", "destination": "DC0000.corp.example"}
_MEMORY_GB, _PEER_MEMORY_GB = 8, 12
_THREADS = 2


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Return DuckDB with the fleet's files as the view `connections`, within the memory that the target allows."""
    import duckdb

    from procwire.query.views import prepare

    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": str(_THREADS),
        "memory_limit": f"{_MEMORY_GB * 7 // 8}GB",
        "temp_directory": f"{folder}/spill",
    }
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    prepare(connection, f"read_parquet('{folder}/day-*.parquet')")
    return connection


def run(task: str, folder: Path) -> int:
    """Run one task; return its number of rows."""
    kind, _, name = task.partition(":")
    if kind == "polars":
        # It has no limit of its own: at a hundred million it would take the machine down.
        resource.setrlimit(resource.RLIMIT_AS, (_PEER_MEMORY_GB << 30,) * 2)
        from beacons_polars import beacons

        return beacons(sorted(folder.glob("day-*.parquet"))).height
    connection = connect(folder)
    if kind == "query":
        return int(connection.sql(QUERIES[name]).to_arrow_table().num_rows)
    hunt = find(name, load())
    given = {parameter.name: PARAMETERS[parameter.name] for parameter in hunt.parameters if parameter.required}
    return sum(batch.num_rows for batch in hunt.run(connection, **given))


def measure(task: str, folder: Path) -> dict[str, Any] | None:
    """Run a task in its own process; return its costs, None if it failed.

    They are rows, wall-clock and CPU seconds, peak memory, and the machine's load before.
    """
    load_before = os.getloadavg()[0]
    argv = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, "POLARS_MAX_THREADS": "2"})
    if done.returncode:
        return None
    return {**json.loads(done.stdout), "load": load_before}


def _task(task: str, folder: Path) -> None:
    started = time.perf_counter()
    rows = run(task, folder)
    wall_s = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"rows": rows, "wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime}
    print(json.dumps({**found, "peak_mb": used.ru_maxrss * 1024 / 1e6}))


def _tasks() -> list[str]:
    return [*(f"query:{name}" for name in QUERIES), *(f"hunt:{hunt.name}" for hunt in load()), "polars:beacons"]


def _lines(sizes: Sequence[int], directory: Path, tasks: Sequence[str]) -> Iterator[str]:
    yield "| events | what | rows | s | CPU s | peak MB | us an event | load |"
    yield "|--:|---|--:|--:|--:|--:|--:|--:|"
    for size in sizes:
        argv = [sys.executable, str(Path(__file__).with_name("make_fleet.py")), "--events", str(size)]
        made = subprocess.run([*argv, "--dir", str(directory)], check=True, stdout=subprocess.PIPE, text=True).stdout
        folder, events = Path(made.split(": ")[0]), int(made.split(": ")[1].split()[0].replace(",", ""))
        for task in tasks:
            yield f"| {events:,} | {task.replace(':', ' ')} | {_cells(measure(task, folder), events)} |"


def _cells(found: dict[str, Any] | None, events: int) -> str:
    if found is None:
        return "failed |||||"
    took = f"{found['wall_s']:.2f} | {found['cpu_s']:.1f} | {found['peak_mb']:,.0f}"
    return f"{found['rows']:,} | {took} | {found['wall_s'] / events * 1e6:.2f} | {found['load']:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, action="append", help="sizes (default: 1, 10 and 100 million)")
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="of fleets (default: benchmarks/data)")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    parser.add_argument("--only", action="append", choices=_tasks(), help="measure this (default: everything)")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.task:
        _task(wanted.task, wanted.folder)
        return
    machine = f"{platform.machine()}, {_THREADS} threads; load: of the machine, before each"
    lines = [f"# Hunts, {date.today().isoformat()}", "", machine, ""]
    for line in _lines(wanted.events or [1_000_000, 10_000_000, 100_000_000], wanted.dir, wanted.only or _tasks()):
        print(line, flush=True)
        lines.append(line)
    if wanted.out:
        wanted.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
