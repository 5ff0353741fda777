"""Files of a recording by every version that was released: this one appends to them, or sets them aside, unharmed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import live_rows
import pyarrow as pa
import pytest

import procwire
from procwire.event import LIVE_SCHEMA
from procwire.sinks.recording import RecordingOutput

RECORDINGS = sorted(path for path in (Path(__file__).parents[2] / "data" / "recordings").iterdir() if path.is_dir())
WAYS = ("ndjson", "csv", "xml", "arrow", "parquet")


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one."""
    return Path(shutil.copytree(request.param, tmp_path / "golden"))


def recorded(path: Path, way: str, schema: pa.Schema, *, rows: int) -> None:
    """Record rows to a file, as a recorder that starts does."""
    output = RecordingOutput(way, path, schema, rotate_bytes=None, rotate_s=None, keep=None, terminal=None, stream=None)
    for _ in range(rows):
        output.write(
            live_rows.numbered(1, 1).cast(schema) if schema == LIVE_SCHEMA else wider(live_rows.numbered(1, 1), schema)
        )
    output.close()


def wider(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**row, "weather": "rain"} for row in batch.to_pylist()], schema=schema)


def rows(path: Path, way: str) -> int:
    if way == "ndjson":
        return len([json.loads(line) for line in path.read_text().splitlines()])
    if way == "arrow":
        with pa.ipc.open_stream(path.read_bytes()) as reader:
            return int(reader.read_all().num_rows)
    if way == "csv":
        return len(path.read_text().splitlines()) - 1
    return int(procwire.read(path).num_rows) if way == "xml" else int(pa.parquet.read_table(path).num_rows)


@pytest.mark.parametrize("way", WAYS)
def test_recording_of_an_older_procwire_is_gone_on_with(golden: Path, way: str) -> None:
    """In the same file where it can be, else beside it: every row is there, once, in files of one form each."""
    path = golden / f"golden.{way}"
    before = rows(path, way)
    recorded(path, way, LIVE_SCHEMA, rows=2)
    files = [file for file in golden.iterdir() if file.name.startswith("golden") and file.suffix == f".{way}"]
    assert sum(rows(file, way) for file in files) == before + 2


@pytest.mark.parametrize("way", ["ndjson", "csv", "arrow", "parquet"])
def test_recording_with_fewer_columns_keeps_its_own(golden: Path, way: str) -> None:
    """Rows of a later version, with a column more, never stand below a header that does not name it."""
    path = golden / f"golden.{way}"
    before = rows(path, way)
    schema = LIVE_SCHEMA.append(pa.field("weather", pa.string()))
    recorded(path, way, schema, rows=2)
    files = [file for file in golden.iterdir() if file.name.startswith("golden") and file.suffix == f".{way}"]
    assert sum(rows(file, way) for file in files) == before + 2
    if way == "csv":
        for file in files:
            header, *lines = file.read_text().splitlines()
            assert {line.count(",") >= header.count(",") for line in lines} == {True}
            assert ("weather" in header) == ("rain" in file.read_text())
