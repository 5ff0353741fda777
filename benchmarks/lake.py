"""What the lake costs: `python benchmarks/lake.py [--events N ...] [--evtx FILE] [--out FILE]`.

A log read to nowhere and into a lake, in turn; then a fleet's traffic (tests/fleet) appended, compacted and verified.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sources import read_batches
from scale import DEFAULT_DIRECTORY

T = TypeVar("T")

_APPEND_ROWS = 256 << 10
_RUNS = 5
_SHOWN_COLUMNS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--evtx", type=Path, default=DEFAULT_DIRECTORY / "evtx-dense.256mb.evtx")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        f"# The lake, {date.today().isoformat()}",
        "",
        f"`benchmarks/lake.py`, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}.",
        "",
        *ingest_lines(arguments.evtx),
        "| events | days | append | events/s | bytes each | compact | events/s | bytes each | verify | peak memory |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    columns: list[str] = []
    for events in arguments.events:
        row, columns = growth(events)
        lines.append(row)
    report = "\n".join([*lines, "", "Bytes an event by column, of the last, compacted:", "", *columns]) + "\n"
    print(report)
    if arguments.out:
        arguments.out.write_text(report)


def ingest_lines(log: Path) -> list[str]:
    if not log.exists():
        return [f"No {log.name}: make_inputs.py makes it.", ""]
    reads, ingests, events = [], [], 0
    for _ in range(_RUNS):
        read_s, events = timed(lambda: sum(batch.num_rows for batch in read_batches([log], ledger=Ledger())))
        reads.append(read_s)
        with tempfile.TemporaryDirectory() as folder:
            ingest = Ingest(Lake.open(folder, create=True))
            ingests.append(timed(lambda ingest=ingest: ingest.run([log], ledger=Ledger()))[0])  # type: ignore[misc]
    read_s, ingest_s = statistics.median(reads), statistics.median(ingests)
    return [
        f"{log.name}, {events:,} events, medians of {_RUNS}: read to nowhere in {read_s:.2f} s, into a lake in "
        f"{ingest_s:.2f} s: {ingest_s / read_s:.1f} times.",
        "",
    ]


def growth(events: int) -> tuple[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, create=True)
        append_s = 0.0
        for number, rows in enumerate(appends(events)):
            append_s += timed(lambda rows=rows, number=number: lake.append(rows, source="a", version=number))[0]  # type: ignore[misc]
        appended = lake.info()
        compact_s, _ = timed(lake.compact)
        verify_s, verified = timed(lake.verify)
        assert verified.faults == []
        compacted = lake.info()
        count = compacted.events
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        row = (
            f"| {count:,} | {compacted.days} | {append_s:.1f} s | {count / append_s:,.0f} "
            f"| {appended.bytes / count:.1f} "
            f"| {compact_s:.1f} s | {count / compact_s:,.0f} | {compacted.bytes / count:.1f} | {verify_s:.1f} s "
            f"| {peak:,.0f} MB |"
        )
        return row, by_column(lake.files(), count)


def appends(events: int) -> Iterator[pa.Table]:
    """A fleet's traffic in parts as large as a reader's, made outside of the clock."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from fleet import Made, of_size

    fleet = of_size(events)
    made = Made(fleet)
    pending: list[pa.RecordBatch] = []
    for batch in (batch for day in range(fleet.days) for batch in made.batches(day)):
        pending.append(batch)
        if sum(part.num_rows for part in pending) >= _APPEND_ROWS:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)


def by_column(paths: Sequence[str], rows: int) -> list[str]:
    sizes: Counter[str] = Counter()
    for path in paths:
        content = pq.read_metadata(path)
        for group in range(content.num_row_groups):
            for place in range(content.num_columns):
                column = content.row_group(group).column(place)
                sizes[column.path_in_schema] += column.total_compressed_size
    shown = sizes.most_common(_SHOWN_COLUMNS)
    rest = sizes.total() - sum(size for _, size in shown)
    pairs = [*shown, ("all others", rest)]
    return ["| column | bytes |", "|---|--:|", *(f"| {name} | {size / rows:.2f} |" for name, size in pairs)]


def timed(action: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
