"""What a power cut leaves of commits that were never acknowledged: renamed, reported, and nothing else is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from event_rows import BatchOf
from procwire.errors import DamageError, LakeError, UsageError
from procwire.lake import table, torn
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading
from procwire.lake.torn import put_torn_aside

TEARS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "a block of it": lambda content: content[:-100] + bytes(100),
    "garbage": lambda content: b"\xff\xfe" + content[2:],
    "another file's": lambda _: b"[1]\n",
}


def log_of(lake: Lake, table: str = "connections") -> Path:
    return Path(lake.location, table, "_delta_log")


def torn_commits(root: str) -> list[Path]:
    return sorted(Path(root, "_delta_log").glob("*.torn-*"))


def fill(lake: Lake, batch_of: BatchOf, commits: int) -> None:
    for number in range(commits):
        lake.append([batch_of({"record_id": number})], source="a", version=number)


def power_cut(lake: Lake, acknowledged: int) -> None:
    """The head that it leaves: it is written once a commit is on the disk, so no torn one is in it."""
    lake.table.chain.advance(acknowledged, forget=True)


def numbers(lake: Lake) -> list[int]:
    return sorted(row["record_id"] for batch in lake.batches() for row in batch.to_pylist())


@pytest.fixture(scope="module")
def checkpointed(tmp_path_factory: pytest.TempPathFactory, batch_of: BatchOf) -> Path:
    """A lake of 102 appends, with a checkpoint behind the 99th."""
    location = tmp_path_factory.mktemp("checkpointed") / "lake"
    fill(Lake.open(location, create=True), batch_of, 102)
    return location


@pytest.fixture
def long(checkpointed: Path, tmp_path: Path) -> Lake:
    shutil.copytree(checkpointed, tmp_path / "long")
    return Lake.open(tmp_path / "long")


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
def test_torn_last_commit_is_put_aside_and_said(
    lake: Lake, batch_of: BatchOf, caplog: pytest.LogCaptureFixture, tear: Callable[[bytes], bytes]
) -> None:
    """And the lake is as it was before: the row can be appended, in a commit of the same number."""
    fill(lake, batch_of, 3)
    last = max(log_of(lake).glob("*.json"))
    power_cut(lake, 2)
    last.write_bytes(left := tear(last.read_bytes()))
    opened = Lake.open(lake.location)
    assert numbers(opened) == [0, 1]
    [aside] = torn_commits(opened.table.uri)
    assert (aside.read_bytes(), last.exists()) == (left, False)
    assert caplog.messages == [f"{last}: torn, as by a power cut ({len(left):,} bytes); renamed to {aside.name}"]
    assert opened.append([batch_of({"record_id": 2})], source="a", version=2)
    assert last.exists()
    assert numbers(Lake.open(lake.location)) == [0, 1, 2]
    assert opened.verify().torn == [str(aside.relative_to(opened.table.uri))]


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
def test_torn_commit_with_whole_ones_behind_it_is_an_error(
    lake: Lake, batch_of: BatchOf, tear: Callable[[bytes], bytes]
) -> None:
    """deltalake would take an empty one as a commit without rows: acknowledged rows would silently be gone."""
    fill(lake, batch_of, 3)
    middle = sorted(log_of(lake).glob("*.json"))[2]
    middle.write_bytes(tear(middle.read_bytes()))
    with pytest.raises(LakeError, match=rf"^{middle}: found a broken commit \(.* bytes\) with 1 after it"):
        Lake.open(lake.location)
    assert torn_commits(lake.table.uri) == []


def test_acknowledged_commit_that_is_torn_is_damage(lake: Lake, batch_of: BatchOf) -> None:
    """A disk that did not keep what it said of fsync: the head knows of the commit."""
    fill(lake, batch_of, 3)
    max(log_of(lake).glob("*.json")).write_bytes(b"")
    with pytest.raises(DamageError, match=f"{3:020}.json: is missing; _procwire/connections.json names 3 as the last"):
        Lake.open(lake.location)


def test_all_torn_commits_at_the_end_are_put_aside(lake: Lake, batch_of: BatchOf) -> None:
    """Of several writers that were at work."""
    fill(lake, batch_of, 4)
    power_cut(lake, 2)
    for path in sorted(log_of(lake).glob("*.json"))[-2:]:
        path.write_bytes(b"")
    assert numbers(Lake.open(lake.location)) == [0, 1]


def test_log_of_nothing_but_torn_commits_is_an_error(lake: Lake, batch_of: BatchOf) -> None:
    """No power cut tears what was acknowledged: neither the commit that made a table with rows, nor very many."""
    fill(lake, batch_of, 1)
    for path in log_of(lake).glob("*.json"):
        path.write_bytes(b"")
    with pytest.raises(LakeError, match=f"{0:020}.json: found a broken commit"):
        Lake.open(lake.location, create=True)


def test_too_many_torn_commits_are_an_error(lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torn, "_MOST", 1)
    fill(lake, batch_of, 3)
    for path in sorted(log_of(lake).glob("*.json"))[-2:]:
        path.write_bytes(b"")
    with pytest.raises(LakeError, match=f"{2:020}.json: found a broken commit .* with 1 after it"):
        Lake.open(lake.location)


def test_whole_lake_is_left_alone(long: Lake, caplog: pytest.LogCaptureFixture) -> None:
    before = sorted(path.name for path in log_of(long).iterdir())
    assert put_torn_aside(long.table.uri) == []
    assert sorted(path.name for path in log_of(long).iterdir()) == before
    assert caplog.messages == []


@pytest.mark.parametrize("count", [1, 3])
def test_torn_commits_behind_a_checkpoint_are_put_aside(long: Lake, count: int) -> None:
    """All that are behind it, too."""
    commits = sorted(log_of(long).glob("*.json"))
    power_cut(long, int(commits[-count - 1].stem))
    for path in commits[-count:]:
        path.write_bytes(b"")
    assert numbers(Lake.open(long.location)) == list(range(99 + 3 - count))


def test_commit_before_a_checkpoint_does_not_matter(long: Lake) -> None:
    """No reader reads it; it is deleted when it is old."""
    min(log_of(long).glob("*.json")).write_bytes(b"")
    assert numbers(Lake.open(long.location)) == list(range(102))


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS)
def test_torn_checkpoint_is_put_aside(long: Lake, tear: Callable[[bytes], bytes]) -> None:
    """The commits that it sums up are still there; the hint that names it goes with it."""
    [checkpoint] = log_of(long).glob("*.checkpoint.parquet")
    checkpoint.write_bytes(tear(checkpoint.read_bytes()))
    opened = Lake.open(long.location)
    assert numbers(opened) == list(range(102))
    assert len(torn_commits(opened.table.uri)) == 2


def test_torn_first_commit_is_no_lake_yet(lake: Lake, batch_of: BatchOf) -> None:
    """Its creation was never acknowledged; it can be created again."""
    [first] = log_of(lake).glob("*.json")
    first.write_bytes(b"")
    with pytest.raises(UsageError, match="found no lake at"):
        Lake.open(lake.location)
    fill(Lake.open(lake.location, create=True), batch_of, 1)
    assert numbers(Lake.open(lake.location)) == [0]


def test_torn_commit_of_the_ledger_is_put_aside(lake: Lake) -> None:
    for name in ("a", "b"):
        lake.readings.add([Reading("log", name, name)])
    ledger = lake.beside("readings")
    assert ledger is not None
    power_cut(ledger, 1)
    max(log_of(lake, "readings").glob("*.json")).write_bytes(b"")
    assert [reading.name for reading in Lake.open(lake.location).readings.all()] == ["a"]


def test_torn_commit_that_cannot_be_renamed_is_reported(
    lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One may read a lake that another account keeps."""
    fill(lake, batch_of, 1)
    last = max(log_of(lake).glob("*.json"))
    last.write_bytes(b"")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(LakeError, match=f"{last}: found a torn commit, which cannot be renamed: Permission denied"):
        Lake.open(lake.location)


def test_second_that_puts_aside_leaves_the_new_commit(
    lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found the torn one; until it had the lock, another put it aside and committed by the same number."""
    fill(lake, batch_of, 3)
    last = max(log_of(lake).glob("*.json"))
    whole = last.read_bytes()
    last.write_bytes(b"")
    locked = torn._locked

    def late(log: Path):  # type: ignore[no-untyped-def]
        last.write_bytes(whole)
        return locked(log)

    monkeypatch.setattr(torn, "_locked", late)
    assert put_torn_aside(lake.table.uri) == []
    assert last.read_bytes() == whole


def test_commits_past_their_time_are_deleted(long: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that an old checkpoint sums up; and not at every commit."""
    for path in log_of(long).glob("*.json"):
        os.utime(path, (0, 0))
    opened = Lake.open(long.location)
    first = log_of(long) / f"{0:020}.json"
    for number, is_kept in ((200, True), (1, False)):
        monkeypatch.setattr(table, "_CLEANUP_COMMITS", number)
        opened.append([batch_of({"record_id": 102 + number})], source="b", version=300 - number)
        assert first.exists() == is_kept
    assert numbers(Lake.open(long.location)) == [*range(102), 103, 302]
