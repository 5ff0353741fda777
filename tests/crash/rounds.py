"""Kills writers of a lake at random points, again and again: run by test_kills.py, as a process of its own.

Each round starts processes on the same lake: a recorder, which says when an append is done; a reader of logs; one that
compacts; one that expires what is old, of which there is nothing; one that writes the ledger; one that repairs; and one
that asks, which is not killed and must not fail. Each other is killed (SIGKILL) after a random time. They are forked
from this process, which never touches the lake itself: deltalake's threads do not live through a fork. Prints what was
acknowledged, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

import procwire.lake.lake
from procwire.event import LIVE_SCHEMA, Event
from procwire.lake import ingest, maintenance
from procwire.lake.readings import Reading
from procwire.lake.repair import repair
from procwire.ledger import Ledger
from procwire.sources import read_events

RECORDER = "recorder"
APPEND_ROWS = 3
_LONGEST_S = 0.2


def record(location: str, acknowledged: int) -> None:
    """Appends rows, on from where the lake says that it is; writes the number of each append that is done."""
    lake = procwire.lake.lake.Lake.open(location, create=True)
    done = lake.table.transaction_version(RECORDER)
    number = 0 if done is None else done + 1
    while True:
        rows = [{"computer_name": RECORDER, "record_id": number * APPEND_ROWS + row} for row in range(APPEND_ROWS)]
        lake.append([pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)], source=RECORDER, version=number)
        os.write(acknowledged, b"%d\n" % number)
        number += 1


def read(location: str, folder: str) -> None:
    """Reads every log of a folder, a few rows at an append."""
    whole = read_events

    def pieces(*args: Any, **kwargs: Any) -> Iterator[tuple[Event, pa.RecordBatch]]:
        for event, batch in whole(*args, **kwargs):
            yield from ((event, batch.slice(start, 3)) for start in range(0, batch.num_rows, 3))

    setattr(ingest, "read_events", pieces)  # noqa: B010 - mypy does not see it there
    ingest._APPEND_ROWS = 3
    lake = procwire.lake.lake.Lake.open(location, create=True)
    ingest.Ingest(lake).run([folder], ledger=Ledger())


def compact(location: str) -> None:
    maintenance._TOO_MANY = 4
    lake = procwire.lake.lake.Lake.open(location, create=True)
    while True:
        for part in lake.tables():
            part.compact()


def expire(location: str) -> None:
    lake = procwire.lake.lake.Lake.open(location, create=True)
    while True:
        for part in lake.tables():
            part.expire(timedelta(days=36_500))


def note(location: str) -> None:
    """Writes the ledger."""
    lake = procwire.lake.lake.Lake.open(location, create=True)
    while True:
        lake.readings.add([Reading("recording", f"recording:{os.getpid()}", "crash")])


def mend(location: str) -> None:
    """Repairs, where there is nothing to repair."""
    procwire.lake.lake.Lake.open(location, create=True)
    while True:
        for found in repair(location):
            assert not found.is_needed, (found.commits, found.files)


def ask(location: str) -> None:
    """Asks for everything, once; no writer is in its way."""
    lake = procwire.lake.lake.Lake.open(location)
    for part in lake.tables():
        seen = [(row["computer_name"], row["record_id"]) for batch in part.batches() for row in batch.to_pylist()]
        assert len(seen) == len(set(seen)), "doubled rows"
    lake.readings.all()
    for layout, found in procwire.lake.lake.verify_tables(location):
        assert not found.faults, (layout.name, found.faults)


def started(job: Callable[..., None], *args: Any) -> int:
    """Fork a process that does a job."""
    child = os.fork()
    if not child:
        try:
            job(*args)
        except BaseException as error:
            os.write(2, f"{job.__name__}: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int, after_s: float) -> int:
    """Kill a process after a time; its exit code, or the signal below 0."""
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(location: str, folder: str, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged = Path(location).with_name("acknowledged")
    log = os.open(acknowledged, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    kills = 0
    failures = []
    while kills < rounds:
        jobs = [started(record, location, log), started(read, location, folder), started(compact, location)]
        others = [job for job in (expire, note, mend) if chance.random() < 0.5]
        jobs += [started(job, location) for job in others]
        asking = started(ask, location) if kills and chance.random() < 0.5 else None
        chance.shuffle(jobs)
        codes = [ended(job, chance.uniform(0, _LONGEST_S)) for job in jobs]
        kills += codes.count(-signal.SIGKILL)
        if asking is not None:
            codes.append(os.waitstatus_to_exitcode(os.waitpid(asking, 0)[1]))
        failures += [code for code in codes if code not in (0, -signal.SIGKILL)]
    numbers = [int(line) for line in acknowledged.read_text().splitlines()]
    sys.stdout.write(json.dumps({"kills": kills, "failures": len(failures), "acknowledged": numbers}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
