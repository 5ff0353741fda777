"""Costs of the lake: `python benchmarks/lake.py [--events N ...] [--evtx FILE ...] [--fleet FOLDER] [--out FILE]`.

Logs read to nowhere and into a lake, in turn; a day of a fleet's traffic (tests/fleet) with the places that its records
would have in EVTX files, and its size by column; then traffic appended, compacted and verified: made on the way, and
from a folder that make_fleet.py made. Seconds of the processor (user and system) stand beside those of the clock, for
other work slows the clock. Peak memory is that of compaction and verification.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from evtx_places import with_places
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sources import read_events
from scale import DEFAULT_DIRECTORY

T = TypeVar("T")

_APPEND_ROWS = 256 << 10
_RUNS = 5
_SHOWN_COLUMNS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 10_000_000])
    logs = [DEFAULT_DIRECTORY / name for name in ("evtx-dense.256mb.evtx", "evtx-3pct.256mb.evtx")]
    parser.add_argument("--evtx", type=Path, nargs="*", default=logs)
    parser.add_argument("--fleet", type=Path, help="a folder of make_fleet.py's")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    lines = [
        f"# The lake, {date.today().isoformat()}",
        "",
        f"`benchmarks/lake.py`, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores. Load average before it: {load}.",
        "",
        *ingest_lines(arguments.evtx),
        *place_lines(),
        "| events | days | append | cpu | events/s | bytes each | compact | cpu | events/s | bytes each | verify "
        "| peak memory |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    sources = [made(events) for events in arguments.events] + ([stored(arguments.fleet)] if arguments.fleet else [])
    columns: list[str] = []
    for appends in sources:
        row, columns = growth(appends)
        print(row, file=sys.stderr, flush=True)
        lines.append(row)
    report = "\n".join([*lines, "", "Bytes an event by column, of the last, compacted:", "", *columns]) + "\n"
    print(report)
    if arguments.out:
        arguments.out.write_text(report)


def ingest_lines(logs: Sequence[Path]) -> list[str]:
    lines = [
        "| log | events of all tables | read | cpu | into a lake | cpu | times | times cpu |",
        "|---|" + "--:|" * 7,
    ]
    for log in logs:
        if not log.exists():
            raise SystemExit(f"found no {log}: make_inputs.py makes it")
        reads, ingests, events = [], [], 0
        for _ in range(_RUNS):
            *read, events = timed(lambda log=log: events_in(log))  # type: ignore[misc]
            reads.append(read)
            with tempfile.TemporaryDirectory() as folder:
                ingest = Ingest(Lake.open(folder, create=True))
                ingests.append(timed(lambda ingest=ingest, log=log: ingest.run([log], ledger=Ledger()))[:2])  # type: ignore[misc]
        (read_s, read_cpu_s), (ingest_s, ingest_cpu_s) = (
            map(statistics.median, zip(*runs, strict=True)) for runs in (reads, ingests)
        )
        lines.append(
            f"| {log.name} | {events:,} | {read_s:.2f} s | {read_cpu_s:.2f} s "
            f"| {ingest_s:.2f} s | {ingest_cpu_s:.2f} s | {ingest_s / read_s:.1f} | {ingest_cpu_s / read_cpu_s:.1f} |"
        )
    return [*lines, "", f"Medians of {_RUNS}.", ""]


def events_in(log: Path) -> int:
    """Read a log without output; return its number of events for all tables of a lake."""
    return sum(batch.num_rows for _, batch in read_events([log], ledger=Ledger()))


def place_lines() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, create=True)
        lake.append(with_places(pa.concat_tables(islice(made(1_000_000), 1))), source="a", version=1)
        appended = lake.info()
        lake.compact()
        compacted = lake.info()
        return [
            f"{appended.events:,} events with the places that they would have in EVTX files, times of recording in "
            f"microseconds: {appended.bytes / appended.events:.1f} bytes each as appended, "
            f"{compacted.bytes / compacted.events:.1f} compacted.",
            "",
            *by_column(lake.files(), compacted.events),
            "",
        ]


def growth(appends: Iterator[pa.Table]) -> tuple[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, create=True)
        append_s = append_cpu_s = 0.0
        for number, rows in enumerate(appends):
            clock_s, cpu_s, _ = timed(lambda rows=rows, number=number: lake.append(rows, source="a", version=number))  # type: ignore[misc]
            append_s, append_cpu_s = append_s + clock_s, append_cpu_s + cpu_s
        appended = lake.info()
        print(f"{appended.events:,} events in {append_s:.0f} s, {append_cpu_s:.0f} s cpu", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            compact_s, compact_cpu_s, verify_s, peak = other.submit(cared_for, folder).result()
        compacted = lake.info()
        count = compacted.events
        row = (
            f"| {count:,} | {compacted.days} | {append_s:.1f} s | {append_cpu_s:.1f} s | {count / append_s:,.0f} "
            f"| {appended.bytes / count:.1f} | {compact_s:.1f} s | {compact_cpu_s:.1f} s | {count / compact_s:,.0f} "
            f"| {compacted.bytes / count:.1f} | {verify_s:.1f} s | {peak:,.0f} MB |"
        )
        return row, by_column(lake.files(), count)


def cared_for(folder: str) -> tuple[float, float, float, float]:
    """Compact and verify in another process, because making and appending traffic needs more memory.

    Return wall-clock and CPU seconds to compact, seconds to verify, and the peak memory in MB.
    """
    lake = Lake.open(folder)
    compact_s, compact_cpu_s, _ = timed(lake.compact)
    verify_s, _, verified = timed(lake.verify)
    assert verified.faults == []
    status = Path("/proc/self/status").read_text()
    return compact_s, compact_cpu_s, verify_s, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def made(events: int) -> Iterator[pa.Table]:
    """Yield a fleet's traffic, in parts as large as a reader's; making it is not timed."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from fleet import Made, of_size

    fleet = of_size(events)
    traffic = Made(fleet)
    return parts(batch for day in range(fleet.days) for batch in traffic.batches(day))


def stored(folder: Path) -> Iterator[pa.Table]:
    """Yield a fleet's traffic from make_fleet.py's files."""
    files = sorted(folder.glob("day-*.parquet"))
    return parts(batch for file in files for batch in pq.ParquetFile(file).iter_batches())


def parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    for batch in batches:
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


def timed(action: Callable[[], T]) -> tuple[float, float, T]:
    """Return wall-clock seconds, CPU seconds of all threads, and the result of a job."""
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    result = action()
    return time.perf_counter() - started_s, time.process_time() - started_cpu_s, result


if __name__ == "__main__":
    main()
