"""What a SIGKILL leaves: whole records, and every one that was acknowledged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import procwire

TEXTS = ("ndjson", "csv", "xml", "syslog")
WRITER = """
import sys
from pathlib import Path
from live_rows import numbered
from procwire.event import LIVE_SCHEMA
from procwire.sinks.recording import RecordingOutput

way, path, start = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
limits = {"rotate_bytes": 4 << 20, "rotate_s": None, "keep": None}
out = RecordingOutput(way, path, LIVE_SCHEMA, **limits, terminal=None, stream=None)
batch = numbered(0, 500)
at = LIVE_SCHEMA.get_field_index("record_id")
import pyarrow as pa
while True:
    ids = pa.array(range(start, start + 500), pa.int64())
    out.write(batch.set_column(at, LIVE_SCHEMA.field(at), ids))
    out.tick()
    start += 500
    sys.stdout.buffer.write(start.to_bytes(8, "little"))
    sys.stdout.buffer.flush()
"""


def killed_writer(way: str, path: Path, start: int, batches: int, rng: random.Random) -> int:
    """Run a writer, kill it at a random moment after so many batches; what it had acknowledged."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1]), *sys.path])}
    command = [sys.executable, "-c", WRITER, way, str(path), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        for _ in range(batches):
            assert len(writer.stdout.read(8)) == 8
        # Any moment of the next few milliseconds.
        deadline = rng.uniform(0, 0.02)
        try:
            writer.wait(deadline)
        except subprocess.TimeoutExpired:
            writer.kill()
        rest = writer.stdout.read()
    assert writer.returncode == -9
    acknowledged = rest[: len(rest) // 8 * 8][-8:]
    return int.from_bytes(acknowledged, "little") if acknowledged else start + 500 * batches


def ids_in(way: str, path: Path) -> tuple[list[int], int]:
    """The record ids of a file as a kill left it, and how many records are damaged."""
    if way == "parquet":
        return pq.read_table(path)["record_id"].to_pylist(), 0
    if way == "arrow":
        ids: list[int] = []
        with path.open("rb") as file:
            try:
                for batch in pa.ipc.open_stream(file):
                    ids += batch["record_id"].to_pylist()
            except (OSError, pa.ArrowInvalid):
                return ids, 1
        return ids, 0
    if path.stat().st_size == 0:
        # Killed when it had just been begun.
        return [], 0
    ledger = procwire.Ledger()
    ids = procwire.read(path, columns=["record_id"], ledger=ledger)["record_id"].to_pylist()
    return ids, ledger.damage.total()


@pytest.mark.parametrize("way", [*TEXTS, "arrow", "parquet"])
def test_kill_leaves_whole_files(way: str, tmp_path: Path) -> None:
    """Three times in a row, the next going on where the last was killed: each row that was written to the end is there,
    once and in order; at most the last one is torn until the next recording begins."""
    rng = random.Random(way)
    path = tmp_path / f"connections.{way}"
    start = 0
    for _ in range(3):
        # Arrow's are gathered for a second, or so many rows.
        acknowledged = killed_writer(way, path, start, 12 if way in TEXTS else 80, rng)
        files = sorted(tmp_path.glob(f"connections*.{way}"), key=lambda file: file.stat().st_mtime_ns)
        found: list[int] = []
        for file in files:
            ids, damaged = ids_in(way, file)
            assert damaged <= (file == path)
            found += ids
        assert found == list(range(len(found)))
        if way in TEXTS:
            assert len(found) >= acknowledged
            start = len(found)
        else:
            break
    if way == "parquet":
        _parquet_is_recovered(path, acknowledged)


def _parquet_is_recovered(path: Path, acknowledged: int) -> None:
    from procwire.event import LIVE_SCHEMA
    from procwire.sinks.recording import RecordingOutput

    RecordingOutput(
        "parquet", path, LIVE_SCHEMA, rotate_bytes=None, rotate_s=None, keep=None, terminal=None, stream=None
    ).close()
    files = sorted(path.parent.glob("connections*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    found = [number for file in files for number in pq.read_table(file)["record_id"].to_pylist()]
    # A second's worth may not have reached the journal.
    assert found == list(range(len(found)))
    assert 0 < len(found) <= acknowledged + 500
    assert not list(path.parent.glob(".*"))
