"""Speed of compiling and applying a Sysmon configuration: `python benchmarks/rules.py [--events N] [--out FILE]`."""

from __future__ import annotations

import argparse
import itertools
import platform
import resource
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from procwire.engine import connect
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.evaluate import decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.parse import parse
from procwire.sysmon.sql import compile_sql
from rules_load import BATCH_ROWS, configuration, event_batches

SIZES = (90, 1_000)
_REFERENCE_EVENTS = 2_000
_SQL_EVENTS = 500_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        f"# Rules, {date.today().isoformat()}",
        "",
        f"`benchmarks/rules.py --events {arguments.events}`, {platform.machine()}, Linux {platform.release()}, Python "
        f"{platform.python_version()}, one thread. Batches of {BATCH_ROWS:,} rows, made before the clock starts.",
        "",
        "| filters | way | events | events/s | logged | compile |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    for filters in SIZES:
        lines += measure(filters, arguments.events)
    lines += ["", f"Peak memory of the whole run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB."]
    report = "\n".join(lines) + "\n"
    print(report)
    if arguments.out:
        arguments.out.write_text(report)


def measure(filters: int, events: int) -> list[str]:
    text = configuration(filters)
    started = time.perf_counter()
    parsed = parse(text)
    expression = compile_sql(parsed)
    rules = ConfigFilter(parsed)
    compile_s = time.perf_counter() - started
    rates = [rate("procwire, batches", rules_rate(rules), events)]
    rates.append(
        rate("the SQL in DuckDB, one query", lambda batches: sql_logged(expression, batches), min(events, _SQL_EVENTS))
    )
    rates.append(
        rate("the reference, row by row", lambda batches: reference_logged(parsed, batches), _REFERENCE_EVENTS)
    )
    count = sum(1 for element in parsed.network_connect for _ in element.filters)
    return [
        f"| {count} | {line} | {f'{compile_s * 1000:.0f} ms' if not number else ''} |"
        for number, line in enumerate(rates)
    ]


def rate(name: str, logged_of: Callable[[Sequence[pa.RecordBatch]], int], events: int) -> str:
    """Time a job over the events, in parts that fit into memory; making these is not timed."""
    batches = event_batches(events)
    elapsed_s, logged = 0.0, 0
    while part := list(itertools.islice(batches, 16)):
        started = time.perf_counter()
        logged += logged_of(part)
        elapsed_s += time.perf_counter() - started
    return f"{name} | {events:,} | {events / elapsed_s:,.0f} | {logged / events:.1%}"


def rules_rate(rules: ConfigFilter) -> Callable[[Sequence[pa.RecordBatch]], int]:
    return lambda batches: sum(rules(batch).num_rows for batch in batches)


def sql_logged(expression: str, batches: Sequence[pa.RecordBatch]) -> int:
    connection = connect()
    connection.register("connections", pa.Table.from_batches(batches))
    [row] = connection.execute(f"SELECT count({expression}) FROM connections").fetchall()
    return int(row[0])


def reference_logged(parsed: object, batches: Sequence[pa.RecordBatch]) -> int:
    rows = [row for batch in batches for row in batch.to_pylist()]
    return sum(decide(parsed, sysmon_texts(row)).logged for row in rows)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
