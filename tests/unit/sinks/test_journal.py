"""Parquet of a recording: rows wait in a journal, which no kill loses and which is published once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from live_rows import numbered

from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA
from procwire.files import find
from procwire.sinks.journal import ParquetParts
from procwire.sinks.rotation import Rotation

NEVER = Rotation(None, None, None, lambda: 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "connections.parquet"


def ids(folder: Path) -> list[int | None]:
    files = sorted(folder.glob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    return [number for file in files for number in pq.read_table(file)["record_id"].to_pylist()]


def abandoned(path: Path, start: int, count: int) -> Path:
    """The journal of a recorder that was killed."""
    parts = ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.append(numbered(start, count))
    [journal] = path.parent.glob(".*.journal")
    shutil.copy(journal, path.parent / "kept")
    parts.close()
    path.unlink()
    return (path.parent / "kept").rename(journal)


def test_journal_left_behind_is_published(path: Path) -> None:
    abandoned(path, 0, 3)
    parts = ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.append(numbered(3, 2))
    parts.close()
    assert ids(path.parent) == [0, 1, 2, 3, 4]
    assert not list(path.parent.glob(".*"))


def test_torn_journal_gives_its_whole_messages(path: Path) -> None:
    journal = abandoned(path, 0, 3)
    whole = journal.read_bytes()
    journal.write_bytes(whole + bytes(numbered(3, 2).serialize())[:-40])
    ParquetParts(find(path), LIVE_SCHEMA, NEVER).close()
    assert ids(path.parent) == [0, 1, 2]


def test_journal_without_a_schema_is_removed(path: Path) -> None:
    (path.parent / f".{path.name}.0123abcd.journal").write_bytes(b"\xff\xff\xff\xff")
    ParquetParts(find(path), LIVE_SCHEMA, NEVER).close()
    assert ids(path.parent) == []
    assert not list(path.parent.glob(".*"))


def test_journal_that_was_published_is_not_published_again(path: Path) -> None:
    """Killed between the renaming of the file and the removal of its journal."""
    parts = ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.append(numbered(0, 3))
    [journal] = path.parent.glob(".*.journal")
    kept = shutil.copy(journal, path.parent / "kept")
    parts.close()
    Path(kept).rename(journal)
    ParquetParts(find(path), LIVE_SCHEMA, NEVER).close()
    assert ids(path.parent) == [0, 1, 2]
    assert not list(path.parent.glob(".*"))


def test_recording_without_rows_leaves_an_empty_table_once(path: Path) -> None:
    for _ in range(2):
        ParquetParts(find(path), LIVE_SCHEMA, NEVER).close()
        assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert pq.read_table(path).schema.equals(LIVE_SCHEMA)


def test_parts_are_published_while_recording(path: Path) -> None:
    """A row group's worth is not waited for: what the journal held can be queried."""
    parts = ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.append(numbered(0, 3))
    parts.rotate()
    parts._worker.submit(lambda: None).result()
    assert ids(path.parent) == [0, 1, 2]
    parts.append(numbered(3, 1))
    parts.close()
    assert ids(path.parent) == [0, 1, 2, 3]


def test_journal_of_a_living_recorder_is_not_touched(path: Path) -> None:
    parts = ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.append(numbered(0, 1))
    with pytest.raises(UsageError, match="another process is writing it"):
        ParquetParts(find(path), LIVE_SCHEMA, NEVER)
    parts.close()
    assert ids(path.parent) == [0]
