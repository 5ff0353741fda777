"""The chain of commits: what was edited, forged or deleted is found; what procwire did itself is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from event_rows import BatchOf
from procwire.errors import DamageError, LakeError
from procwire.lake.chain import commit_path
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading

GOLDEN = Path(__file__).parents[2] / "data" / "lakes" / "0.1.0-a" / "lake"


@pytest.fixture
def filled(lake: Lake, batch_of: BatchOf) -> Lake:
    """A lake of five commits, version 0 to 4."""
    for number in range(4):
        lake.append([batch_of({"record_id": number})], source="a", version=number)
    return lake


def commit(lake: Lake, version: int) -> Path:
    return Path(lake.table.uri, commit_path(version))


def faults(lake: Lake) -> list[str]:
    return lake.table.chain.examine().lines()


def test_lake_as_procwire_keeps_it_is_one_chain(filled: Lake, batch_of: BatchOf) -> None:
    """Through merges, compaction, expiry and readings."""
    for number in range(40):
        filled.append([batch_of({"record_id": number})], source="b", version=number)
    filled.compact()
    filled.readings.add([Reading("log", "a", "a.evtx")])
    filled.expire(timedelta(days=1))
    for part in filled.all_tables():
        found = part.table.chain.examine()
        assert (found.lines(), found.unchained) == ([], 0)


def edit(path: Path) -> None:
    """Take a file out of the table that a commit added."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '"add"' not in line) + "\n")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "version"), [*product([flip, Path.unlink], range(5)), *product([edit], range(1, 5))]
)
def test_commit_that_was_changed_or_deleted_is_named(
    filled: Lake, change: Callable[[Path], None], version: int
) -> None:
    """The first and the last one too."""
    change(commit(filled, version))
    assert any(commit_path(version) in line for line in filled.table.chain.examine().lines())


def test_last_commits_that_were_deleted_are_named(filled: Lake) -> None:
    for version in (3, 4):
        commit(filled, version).unlink()
    assert [line.partition(":")[0] for line in faults(filled)] == [commit_path(3), commit_path(4)]


def test_commit_written_by_hand_is_named(filled: Lake) -> None:
    """Wherever it comes: others go on behind it."""
    [file, *_] = filled.snapshot()
    removal = {"remove": {"path": file.path, "deletionTimestamp": 0, "dataChange": True}}
    commit(filled, 5).write_text(json.dumps(removal) + "\n")
    assert [line.partition(": does not say")[0] for line in faults(filled)] == [commit_path(5)]


def test_commit_of_another_program_is_named_also_if_more_follow(filled: Lake, batch_of: BatchOf) -> None:
    DeltaTable(filled.table.uri).delete("record_id = 1")
    filled.append([batch_of({"record_id": 9})], source="a", version=9)
    assert [line.partition(":")[0] for line in faults(filled)] == [commit_path(5)]


def test_head_that_is_missing_or_broken_is_named(filled: Lake) -> None:
    head = Path(filled.location, "_procwire", "connections.json")
    head.write_text("{}")
    assert "_procwire/connections.json: is broken" in faults(filled)[0]
    head.unlink()
    assert "_procwire/connections.json: is missing" in faults(filled)[0]


def test_head_of_a_newer_version_is_refused_with_both_versions(filled: Lake) -> None:
    head = Path(filled.location, "_procwire", "connections.json")
    head.write_text(json.dumps({**json.loads(head.read_text()), "version": 2}))
    with pytest.raises(LakeError, match=r"connections\.json: found version 2, expected 1: a newer procwire wrote it"):
        filled.table.chain.head()


def test_writer_that_was_killed_before_it_noted_its_commit_is_no_fault(filled: Lake, batch_of: BatchOf) -> None:
    head = Path(filled.location, "_procwire", "connections.json")
    before = head.read_text()
    filled.append([batch_of({"record_id": 9})], source="a", version=9)
    head.write_text(before)
    assert faults(filled) == []
    filled.append([batch_of({"record_id": 10})], source="a", version=10)
    assert faults(filled) == []


def test_chain_goes_on_behind_a_checkpoint(lake: Lake, batch_of: BatchOf) -> None:
    """Commits that are past their time are deleted; a forged checkpoint is found, one not noted yet is no fault."""
    rows = pa.Table.from_batches([batch_of({})])
    for number in range(95):
        lake.append(rows, source="a", version=number)
    while lake.table.version < 105:
        lake.append(rows, source="b", version=lake.table.version)
        lake.table.reload()
    [checkpoint] = Path(lake.table.uri, "_delta_log").glob("*.checkpoint.parquet")
    assert faults(lake) == []
    head = Path(lake.location, "_procwire", "connections.json")
    noted = json.loads(head.read_text())
    head.write_text(json.dumps({**noted, "checkpoint": None}))
    assert faults(lake) == []
    head.write_text(json.dumps(noted))
    for version in range(int(checkpoint.name[:20])):
        commit(lake, version).unlink()
    assert faults(lake) == []
    assert Lake.open(lake.location).info().events
    flip(checkpoint)
    assert any("checkpoint.parquet: " in line for line in lake.table.chain.examine().lines())


def test_nothing_is_deleted_while_the_chain_is_broken(filled: Lake) -> None:
    """What seems unneeded may be what is left."""
    edit(commit(filled, 2))
    before = sorted(Path(filled.location).rglob("*.parquet"))
    later = datetime.now(UTC) + timedelta(days=900)
    for job in (filled.compact, lambda: filled.expire(timedelta(days=1), now=later)):
        with pytest.raises(
            DamageError, match=r"2\.json: is not the commit that the next one follows: nothing was done"
        ):
            job()
    assert sorted(Path(filled.location).rglob("*.parquet")) == before


def test_older_lake_gets_its_chain_with_its_first_new_commit(tmp_path: Path) -> None:
    location = Path(shutil.copytree(GOLDEN, tmp_path / "lake"))
    lake = Lake.open(location)
    found = lake.verify()
    assert (found.faults, found.unchained) == ([], found.commits)
    assert found.undigested == found.files
    before = lake.table.version
    lake.compact()
    lake.table.reload()
    found = lake.verify()
    assert (found.faults, found.unchained, found.undigested) == ([], before + 1, 0)
    edit(commit(lake, before + 1 if lake.table.version == before + 1 else before))
    assert lake.table.chain.examine().lines()


def test_query_of_an_altered_lake_is_an_error_that_names_the_commit(filled: Lake) -> None:
    """It would give wrong answers; what a commit might be by an older procwire is only said."""
    whole = commit(filled, 4).read_bytes()
    for change in (edit, Path.unlink):
        change(commit(filled, 4))
        with pytest.raises(DamageError, match=commit_path(4)):
            Lake.open(filled.location)
        commit(filled, 4).write_bytes(whole)
    Lake.open(filled.location)


def test_query_says_that_a_commit_is_in_no_chain(
    filled: Lake, batch_of: BatchOf, caplog: pytest.LogCaptureFixture
) -> None:
    DeltaTable(filled.table.uri).delete("record_id = 1")
    Lake.open(filled.location)
    [reported] = caplog.messages
    assert f"{commit_path(5)}: does not say which commit it follows" in reported
    # A writer goes on.
    assert Lake.open(filled.location, create=True).append([batch_of({})], source="b", version=0)
