"""Write a synthetic fleet's months to Parquet, one file per day, and the planted truth to truth.json.

python benchmarks/make_fleet.py --events 10_000_000 [--seed 1] [--dir benchmarks/data]

Days are made side by side, one on each core. What is there already is not made again: after a change of the generator
remove the folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import pyarrow.parquet as pq

from scale import DEFAULT_DIRECTORY

# The tests' generator, whose truth also tests the hunts.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fleet import Fleet, Made, of_size
from procwire.event import LIVE_SCHEMA

_ROW_GROUP_ROWS = 1_048_576


def make(directory: Path, events: int, seed: int = 1) -> Path:
    """Make the files of about this many events unless they exist; return their folder."""
    fleet = of_size(events, seed)
    folder = directory / f"fleet-{fleet.hosts}x{fleet.days}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [day for day in range(fleet.days) if not _file(folder, day).exists()]
    if not missing and (folder / "truth.json").exists():
        return folder
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(missing) or 1)) as pool:
        list(pool.map(partial(_write_day, folder, fleet), missing))
    truth = [{"kind": planted.kind, **dataclasses.asdict(planted)} for planted in _made(fleet).truth]
    (folder / "truth.json").write_text(json.dumps(truth, default=str, indent=1))
    return folder


def _write_day(folder: Path, fleet: Fleet, day: int) -> None:
    target = _file(folder, day)
    partial_file = target.with_suffix(".partial")
    with pq.ParquetWriter(partial_file, LIVE_SCHEMA, compression="zstd") as writer:
        for batch in _made(fleet).batches(day):
            writer.write_batch(batch, row_group_size=_ROW_GROUP_ROWS)
    partial_file.replace(target)


@cache
def _made(fleet: Fleet) -> Made:
    """Prepare a worker process: the endpoints take longer than a day's rows."""
    return Made(fleet)


def _file(folder: Path, day: int) -> Path:
    return folder / f"day-{day:04d}.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="about so many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="default: benchmarks/data")
    wanted = parser.parse_args()
    started = time.perf_counter()
    folder = make(wanted.dir, wanted.events, wanted.seed)
    files = sorted(folder.glob("*.parquet"))
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    size = sum(file.stat().st_size for file in files)
    elapsed_s = time.perf_counter() - started
    print(f"{folder}: {rows:,} events, {len(files)} days, {size / rows:.1f} bytes an event, {elapsed_s:.0f} s")


if __name__ == "__main__":
    main()
