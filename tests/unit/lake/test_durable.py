"""What is acknowledged is on the disk: the order in which files, their folders and the commit are synced."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.lake.durable import sync, sync_commits
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file and folder that is synced, in order; in truth none is."""
    paths: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: paths.append(Path(f"/proc/self/fd/{handle}").readlink()))
    return paths


def test_file_is_synced_before_the_folders_that_name_it(tmp_path: Path, synced: list[Path]) -> None:
    folder = tmp_path / "lake" / "day=2024-03-01"
    folder.mkdir(parents=True)
    (folder / "part").touch()
    sync(str(tmp_path / "lake"), ["day=2024-03-01/part"])
    assert synced == [folder / "part", folder, tmp_path / "lake"]


def test_append_syncs_its_files_then_its_commit(lake: Lake, batch_of: BatchOf, synced: list[Path]) -> None:
    """And by the time that the commit is made the files are: it is not there yet when they are synced."""
    lake.append([batch_of({})], source="a", version=1)
    [file] = lake.files()
    commit = Path(lake.table.uri, "_delta_log", f"{1:020}.json")
    places = [synced.index(path) for path in (Path(file), Path(file).parent, commit, commit.parent)]
    assert places == sorted(places)


def test_files_that_cannot_be_synced_are_not_committed(
    lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        lake.append([batch_of({})], source="a", version=1)
    assert lake.info().events == 0


def test_commits_of_others_that_come_before_are_synced_too(lake: Lake, batch_of: BatchOf, synced: list[Path]) -> None:
    """One that a power cut leaves out makes all behind it void."""
    version = lake.table.version
    for number in range(3):
        lake.append([batch_of({})], source="a", version=number)
    synced.clear()
    sync_commits(lake.table.uri, version)
    assert [path.stem for path in synced[:3]] == [f"{version + step:020}" for step in (1, 2, 3)]


def test_checkpoint_is_synced(lake: Lake, batch_of: BatchOf, synced: list[Path]) -> None:
    """Readers begin with it: a half-written one would hide the table."""
    for number in range(100):
        lake.append(pa.Table.from_batches([batch_of({})]), source="a", version=number)
    [checkpoint] = Path(lake.table.uri, "_delta_log").glob("*.checkpoint.parquet")
    assert {checkpoint, checkpoint.with_name("_last_checkpoint")} <= set(synced)


def test_reading_is_synced(lake: Lake, synced: list[Path]) -> None:
    lake.readings.add([Reading("log", "a", "a.evtx")])
    kinds = [path.suffix for path in synced if path.is_file()]
    # Its table's first commit, the file, and the commit that adds it.
    assert kinds == [".json", ".parquet", ".json"]
