"""Lets a disk fill up at every step of what is done with a lake: run by test_full_disk.py, with a small disk.

Each time there is a page more free than the time before, so that another step fails, until none does. What failed must
leave the lake whole, and succeed once there is space. Prints how often each job failed, and went through, as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from procwire.errors import LakeError
from procwire.event import LIVE_SCHEMA
from procwire.lake.lake import Lake, verify_tables
from procwire.lake.readings import Reading
from procwire.lake.repair import repair

PAGE_BYTES = 4096
_ENOUGH = 25


def rows(number: int) -> pa.RecordBatch:
    row = {"record_id": number, "computer_name": "full", "event_creation_time": datetime(2024, 3, 1, tzinfo=UTC)}
    return pa.RecordBatch.from_pylist([row], schema=LIVE_SCHEMA)


def append(lake: Lake) -> None:
    lake.append([rows(100)], source="late", version=0)


def note(lake: Lake) -> None:
    lake.readings.add([Reading("log", "late", "late.evtx")])


def compact(lake: Lake) -> None:
    lake.compact()


def expire(lake: Lake) -> None:
    lake.expire(timedelta(days=1))


def mend(lake: Lake) -> None:
    """Of a lake with a commit that is in no chain."""
    repair(lake.location)


def seen(lake: Lake) -> list[int]:
    return sorted(row["record_id"] for batch in lake.batches() for row in batch.to_pylist())


def fill(disk: Path, free_pages: int) -> Path:
    """Leave so many pages of the disk free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(PAGE_BYTES))
        except OSError:
            os.truncate(filler, max(0, file.tell() - free_pages * PAGE_BYTES))
    return filler


def tried(disk: Path, made: Path, job: Callable[[Lake], None], free_pages: int) -> bool:
    """Do a job with so much free space; return whether it succeeded."""
    location = disk / "lake"
    shutil.copytree(made, location)
    if job is mend:
        log = location / "connections" / "_delta_log"
        number = len(list(log.glob("*.json")))
        (log / f"{number:020}.json").write_text('{"txn": {"appId": "forged", "version": 1}}\n')
    lake = Lake.open(location, create=True)
    filler = fill(disk, free_pages)
    try:
        job(lake)
    except (LakeError, OSError):
        done = False
    else:
        done = True
    filler.unlink()
    # What failed may be in the lake or not, but not in part.
    lake = Lake.open(location, create=True)
    after = {"append": [0, 1, 2, 100], "expire": []}.get(job.__name__, [0, 1, 2])
    assert seen(lake) in ([0, 1, 2], after), seen(lake)
    job(lake)
    faults = [(layout.name, fault) for layout, found in verify_tables(str(location)) for fault in found.faults]
    assert not faults, (job.__name__, free_pages, faults)
    assert seen(lake) == after, (job.__name__, free_pages)
    assert [reading.name for reading in lake.readings.all()].count("first") == 1
    shutil.rmtree(location)
    return done


def main(disk: Path) -> None:
    made = disk / "made"
    lake = Lake.open(made, create=True)
    for number in range(3):
        lake.append([rows(number)], source="first", version=number)
    lake.readings.add([Reading("log", "first", "first")])
    reported = {}
    for job in (append, note, compact, expire, mend):
        done = [tried(disk, made, job, pages) for pages in range(_ENOUGH)]
        reported[job.__name__] = [done.count(False), done.count(True)]
    sys.stdout.write(json.dumps(reported) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    # As the command does: threads of Arrow's abort an interpreter that is taken apart, now and then.
    os._exit(0)
