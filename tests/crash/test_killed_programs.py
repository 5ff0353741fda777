"""The programs themselves on one lake, killed again and again: a recording, a reading, compaction and questions."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from procwire.lake.lake import Lake, verify_tables

EXAMPLE = Path(__file__).parents[2] / "examples" / "sysmon.evtx"
CLI = [sys.executable, "-c", "from procwire.cli import main; main()"]
ROUNDS = 30
# Ended by itself; killed; asked to end, before and after it took over the signal.
_ENDS = (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)


def connect_until(stopped: threading.Event) -> None:
    """Make connections on loopback that a look at intervals can see."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        while not stopped.is_set():
            with socket.create_connection(server.getsockname()), server.accept()[0]:
                stopped.wait(0.2)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account that records may enter, too."""
    with tempfile.TemporaryDirectory(prefix="procwire-test-") as name:
        Path(name).chmod(0o711)
        temporary = Path(name, "tmp")
        temporary.mkdir()
        temporary.chmod(0o1777)
        yield Path(name)


@pytest.mark.long
def test_killed_programs_leave_a_whole_lake(folder: Path) -> None:
    """Each round starts four programs and kills them after up to 3 s. No event is there twice, each batch of the
    recording is whole, nothing that a program ended with is lost, and verify finds no fault."""
    lake, chance = folder / "lake", random.Random(12)
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    looking = ["--sensor", "poll", "--all", "--interval", "50ms", "--no-dns-lookup"]
    jobs = (
        ["record", *looking, "--to", "lake", "--lake", lake],
        ["read", EXAMPLE, "--to", "lake", "--lake", lake],
        ["lake", "compact", "--lake", lake],
        ["sql", "SELECT count(*) FROM connections", "--lake", lake],
    )
    # As root: the lake belongs to the account that records, which the others respect.
    subprocess.run([*CLI, *map(str, jobs[0]), "--for", "100ms"], env=environment, check=True, capture_output=True)
    stopped = threading.Event()
    traffic = threading.Thread(target=connect_until, args=(stopped,))
    traffic.start()
    errors: list[str] = []
    try:
        for _ in range(ROUNDS):
            running = [
                subprocess.Popen(
                    [*CLI, *map(str, job)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
                for job in jobs
            ]
            for process in chance.sample(running, len(running)):
                time.sleep(chance.uniform(0, 3))
                # A recording commits every 10 s, and when it ends: asked to, it must.
                is_asked = process is running[0] and chance.random() < 0.5
                process.send_signal(signal.SIGTERM if is_asked else signal.SIGKILL)
                said = process.communicate()[1].decode()
                # A lake that another program has yet to create is no fault.
                if process.returncode not in _ENDS and "found no lake" not in said:
                    errors.append(f"{process.returncode}: {said}")
    finally:
        stopped.set()
        traffic.join()
    assert not errors, "\n".join(errors)
    subprocess.run([*CLI, *map(str, jobs[1])], env=environment, check=True, capture_output=True)
    rows = pa.Table.from_batches(Lake.open(lake).batches())
    keys = zip(
        *(rows[name].to_pylist() for name in ("computer_name", "channel", "record_id", "event_recorded_time")),
        strict=True,
    )
    assert set(Counter(keys).values()) == {1}
    assert rows["source_file"].to_pylist().count(str(EXAMPLE)) == 153
    assert len(rows) > 153
    assert [found.faults for _, found in verify_tables(str(lake))] == [[]] * len(verify_tables(str(lake)))
