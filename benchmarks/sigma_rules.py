"""Sigma rules over many events: `python benchmarks/sigma_rules.py --rules DIR [--events N] [--peer PYTHON]`.

Over days of a made-up fleet (make_fleet.py), each task in a process of its own: `detect` as users run it, matching of
batches as a recorder has them, and beside them the way of Zircolite: pySigma's SQLite backend over a table of Sysmon's
texts in memory, by a PYTHON that has pysigma-backend-sqlite and pyarrow.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

_FLEET = Path(__file__).parent / "data" / "fleet"
_PEER_EVENTS = 1_000_000
_LIVE_EVENTS = 1_000_000
_LIVE_ROWS = 100
_TARGET_S = 20


def days(folder: Path, events: int) -> list[Path]:
    """Return as many of the fleet's days as hold this many events."""
    import pyarrow.parquet as pq

    chosen: list[Path] = []
    for path in sorted(folder.glob("day-*.parquet")):
        if events <= 0:
            break
        chosen.append(path)
        events -= pq.read_metadata(path).num_rows
    return chosen


def detect(rules: Path, paths: Sequence[Path]) -> dict[str, Any]:
    """Run all rules over all events, like `procwire detect`."""
    from procwire.engine import LocalFile, Served, connect, literal
    from procwire.query.views import prepare
    from procwire.sigma import detect, load

    started = time.perf_counter()
    found = load([rules])
    loaded = time.perf_counter()
    served = Served()
    names = [served.add(partial(LocalFile, path)) for path in paths]
    with connect(served=served) as connection:
        prepare(connection, f"read_parquet([{', '.join(map(literal, names))}])")
        [(events,)] = connection.sql("SELECT count(*) FROM connections").fetchall()
        begun = time.perf_counter()
        matches = sum(batch.num_rows for batch in detect(connection, found))
    return {"rules": len(found.rules), "events": events, "matches": matches, "load_s": loaded - started,
            "wall_s": time.perf_counter() - begun}  # fmt: skip


def live(rules: Path, paths: Sequence[Path]) -> dict[str, Any]:
    """Run all rules batch after batch, like a recorder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from procwire.sigma import SigmaStream, load

    table = pa.concat_tables(pq.read_table(path) for path in days(paths[0].parent, _LIVE_EVENTS)).slice(0, _LIVE_EVENTS)
    batches = table.combine_chunks().to_batches(max_chunksize=_LIVE_ROWS)
    found = load([rules])
    begun = time.perf_counter()
    stream = SigmaStream(found)
    matches = sum(stream.matches(batch).num_rows for batch in batches)
    return {"rules": len(found.rules), "events": table.num_rows, "matches": matches, "load_s": 0.0,
            "wall_s": time.perf_counter() - begun}  # fmt: skip


_PEER_COLUMNS = {
    "Image": "process_name", "User": "user_name", "Protocol": "network_protocol", "SourceIp": "src_ip",
    "Initiated": "network_connection_initiated", "SourceHostname": "src_host_name", "SourcePort": "src_port",
    "SourceIsIpv6": "src_is_ipv6", "DestinationIp": "dst_ip", "DestinationHostname": "dst_host_name",
    "DestinationPort": "dst_port", "CommandLine": "process_command_line", "ParentImage": "process_parent_name",
}  # fmt: skip


def peer(rules: Path, paths: Sequence[Path]) -> dict[str, Any]:
    """Run pySigma's own SQL on SQLite, with flags as the texts that rules expect."""
    import sqlite3

    import pyarrow.parquet as pq
    from sigma.backends.sqlite import sqliteBackend  # type: ignore[import-not-found, unused-ignore]

    started = time.perf_counter()
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE logs ({', '.join(_PEER_COLUMNS)})")
    left = _PEER_EVENTS
    for path in paths:
        present = [name for name in pq.read_schema(path).names if name in _PEER_COLUMNS.values()]
        for batch in pq.ParquetFile(path).iter_batches(columns=present):
            rows = batch.slice(0, left).to_pydict()
            nulls = [None] * min(left, batch.num_rows)
            columns = [rows.get(name, nulls) for name in _PEER_COLUMNS.values()]
            texts = [[str(v).lower() if isinstance(v, bool) else v for v in column] for column in columns]
            marks = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO logs VALUES ({marks})", zip(*texts, strict=True))
            left -= len(nulls)
    queries = list(_peer_queries(sqliteBackend(), rules))
    begun = time.perf_counter()
    matches = sum(len(database.execute(query).fetchall()) for query in queries)
    return {"rules": len(queries), "events": _PEER_EVENTS - left, "matches": matches, "load_s": begun - started,
            "wall_s": time.perf_counter() - begun}  # fmt: skip


def _peer_queries(backend: Any, rules: Path) -> Iterator[str]:
    from sigma.collection import SigmaCollection
    from sigma.exceptions import SigmaError

    for path in sorted(rules.rglob("*.yml")):
        try:
            yield from backend.convert(SigmaCollection.from_yaml(path.read_text(encoding="utf-8")))
        except SigmaError as error:
            print(f"{path.name}: {error}", file=sys.stderr)


TASKS = {"detect": detect, "live": live, "peer": peer}


def measure(task: str, python: str, rules: Path, folder: Path, events: int) -> dict[str, Any]:
    """Measure one run in its own process."""
    argv = [python, __file__, "--task", task, "--rules", str(rules), "--dir", str(folder), "--events", str(events)]
    result: dict[str, Any] = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return result


def _lines(options: argparse.Namespace) -> Iterator[str]:
    load = ", ".join(f"{one:.1f}" for one in _load())
    yield f"# Sigma rules, {date.today()}\n"
    machine = f"{platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    yield f"`benchmarks/sigma_rules.py --events {options.events}`, {machine}. Load of the machine before: {load}.\n"
    yield "| way | rules | events | matches | prepare s | s | events/s | peak MB |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    ways = [
        ("detect, DuckDB", "detect", sys.executable),
        (f"stream, {_LIVE_ROWS} rows a batch", "live", sys.executable),
    ]
    ways += [("pySigma's SQLite backend", "peer", options.peer)] if options.peer else []
    for name, task, python in ways:
        one = measure(task, python, options.rules, options.dir, options.events)
        rate = one["events"] / one["wall_s"]
        yield (f"| {name} | {one['rules']} | {one['events']:,} | {one['matches']:,} | {one['load_s']:.1f} |"
               f" {one['wall_s']:.1f} | {rate:,.0f} | {one['peak_mb']:,.0f} |")  # fmt: skip
    yield f"\nThe target is {_TARGET_S} s for 10 million events."


def _load() -> tuple[float, float, float]:
    import os

    return os.getloadavg()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=Path, required=True, help="folder of Sigma rules")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--dir", type=Path, default=_FLEET, help="folder of a fleet's day-*.parquet")
    parser.add_argument("--peer", help="a Python that has pysigma-backend-sqlite and pyarrow")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        result = TASKS[options.task](options.rules, days(options.dir, options.events))
        result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(json.dumps(result))
        return
    lines = []
    for line in _lines(options):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
