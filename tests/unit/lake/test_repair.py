"""Repair: what is damaged is set aside and reported, what is not stays, and the lake is whole again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.errors import DamageError, LakeError, UsageError
from procwire.lake.chain import commit_path
from procwire.lake.lake import Lake, verify_tables
from procwire.lake.readings import Reading
from procwire.lake.repair import Repair, repair

GOLDEN = Path(__file__).parents[2] / "data" / "lakes" / "0.1.0-a" / "lake"
DAYS = [datetime(2024, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3, 4)]


@pytest.fixture
def filled(lake: Lake, batch_of: BatchOf) -> Lake:
    """A lake of four commits with a row each, of a day each; and three readings."""
    for number, day in enumerate(DAYS):
        lake.append([batch_of({"record_id": number, "event_creation_time": day})], source="a", version=number)
    for name in ("x", "y", "z"):
        lake.readings.add([Reading("log", name, f"{name}.evtx")])
    return lake


def records(lake: Lake) -> list[int]:
    batches = list(Lake.open(lake.location).batches())
    return sorted(pa.Table.from_batches(batches)["record_id"].to_pylist()) if batches else []


def faults(lake: Lake) -> list[str]:
    return [f"{layout.name}/{fault}" for layout, found in verify_tables(lake.location) for fault in found.faults]


def commit(lake: Lake, version: int, table: str = "connections") -> Path:
    return Path(lake.location, table, commit_path(version))


def repaired(lake: Lake, table: str = "connections") -> Repair:
    """Repair it, and hold the result to what is promised: whole, and as the rehearsal said it would be."""
    before = {path: path.read_bytes() for path in Path(lake.location).rglob("*") if path.is_file()}
    plan = repair(lake.location, dry_run=True)
    assert {path: path.read_bytes() for path in Path(lake.location).rglob("*") if path.is_file()} == before
    done = repair(lake.location)
    assert [(each.table, each.commits, each.files, each.rows, each.unnamed) for each in plan] == [
        (each.table, each.commits, each.files, each.rows, each.unnamed) for each in done
    ]
    assert faults(lake) == []
    assert not any(again.is_needed for again in repair(lake.location))
    # Nothing is deleted: each content is still somewhere.
    there = {path.read_bytes() for path in Path(lake.location).rglob("*") if path.is_file()}
    heads = {content for path, content in before.items() if "_procwire" in path.parts}
    assert set(before.values()) - heads <= there
    [found] = [each for each in done if each.table == table]
    return found


def goes_on(lake: Lake, batch_of: BatchOf) -> None:
    """Writers, compaction and verification, as if nothing had been."""
    known = records(lake)
    again = Lake.open(lake.location)
    again.append([batch_of({"record_id": 77})], source="later", version=0)
    again.compact()
    again.readings.add([Reading("log", "later", "later.evtx")])
    assert records(lake) == sorted([*known, 77])
    assert faults(lake) == []


def test_whole_lake_needs_no_repair(filled: Lake) -> None:
    before = sorted(Path(filled.location).rglob("*"))
    assert not any(found.is_needed for found in repair(filled.location))
    assert sorted(Path(filled.location).rglob("*")) == before


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_damaged_file_is_set_aside_and_its_loss_reported(
    filled: Lake, batch_of: BatchOf, damage: Callable[[Path], None]
) -> None:
    path = Path(filled.files()[1])
    damage(path)
    with pytest.raises(DamageError, match=path.name):
        records(filled)
    found = repaired(filled)
    [reported] = found.files
    assert reported.startswith(f"day=2024-03-02/{path.name}: ")
    assert reported.endswith("; lost: 1 connection, 2024-03-02T12:00:00Z to 2024-03-02T12:00:00Z")
    assert (found.rows, found.commits) == (1, [])
    assert records(filled) == [0, 2, 3]
    if damage is flip:
        assert (Path(found.aside or "") / "day=2024-03-02" / path.name).exists()
    goes_on(filled, batch_of)


def test_forged_commit_that_hides_rows_is_undone(filled: Lake, batch_of: BatchOf) -> None:
    """Also if a recorder went on behind it."""
    file = filled.snapshot()[0]
    removal = {"remove": {"path": file.path, "deletionTimestamp": 0, "dataChange": True}}
    commit(filled, 5).write_text(json.dumps(removal) + "\n")
    filled.append([batch_of({"record_id": 9})], source="a", version=9)
    assert records(filled) == [1, 2, 3, 9]
    found = repaired(filled)
    assert "it removes 1 row and adds 0 rows" in found.commits[0]
    assert records(filled) == [0, 1, 2, 3, 9]
    goes_on(filled, batch_of)


def test_forged_commit_that_says_what_it_follows_is_undone(filled: Lake, batch_of: BatchOf) -> None:
    """It names another commit than the one before it, for which the head vouches."""
    file = filled.snapshot()[0]
    removal = {"remove": {"path": file.path, "deletionTimestamp": 0, "dataChange": True}}
    info = {"commitInfo": {"procwire.previous": "0" * 64}}
    commit(filled, 5).write_text(f"{json.dumps(info)}\n{json.dumps(removal)}\n")
    assert [fault.partition(": ")[2] for fault in faults(filled)] == ["does not follow the commit before it: forged"]
    found = repaired(filled)
    assert "undone (it removes 1 row and adds 0 rows)" in found.commits[0]
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


def test_hint_at_a_checkpoint_that_is_not_there_is_set_aside(filled: Lake, batch_of: BatchOf) -> None:
    hint = Path(filled.location, "connections", "_delta_log", "_last_checkpoint")
    hint.write_text('{"version": 2, "size": 1}')
    with pytest.raises(LakeError):
        Lake.open(filled.location)
    found = repaired(filled)
    assert "_last_checkpoint: may name no checkpoint" in found.commits[0]
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


@pytest.mark.parametrize("name", ["_procwire/connections.json", f"connections/{commit_path(4)}"])
def test_nested_json_is_a_broken_file(filled: Lake, name: str) -> None:
    Path(filled.location, name).write_text("[" * 100_000)
    assert [fault.partition(":")[0].rpartition("/")[2] for fault in faults(filled)] == [name.rpartition("/")[2]]
    repaired(filled)


def test_forged_commit_that_adds_a_file_again_or_a_wrong_one_is_undone(filled: Lake, batch_of: BatchOf) -> None:
    line = next(line for line in commit(filled, 1).read_text().splitlines() if '"add"' in line)
    commit(filled, 5).write_text(line + "\n")
    forged = json.loads(line)
    forged["add"]["path"] = "day=2024-03-01/part-forged.parquet"
    Path(filled.table.uri, forged["add"]["path"]).write_bytes(b"PAR1 forged")
    commit(filled, 6).write_text(json.dumps(forged) + "\n")
    found = repaired(filled)
    assert "a second time" in found.commits[0]
    assert "part-forged.parquet, which is damaged" in found.commits[1]
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


def test_commit_of_an_older_procwire_is_kept(tmp_path: Path, batch_of: BatchOf) -> None:
    """It adds rows, and its files can be read: nothing is lost of what it gave."""
    shutil.copytree(GOLDEN, tmp_path / "golden")
    older = Lake.open(tmp_path / "golden")
    older.append([batch_of({"record_id": 5})], source="new", version=0)
    older.table.reload()
    # What it would write: a commit without a link.
    path = commit(older, older.table.version + 1)
    head = Path(older.location, "_procwire", "connections.json")
    before_it = head.read_text()
    older.append([batch_of({"record_id": 6})], source="new", version=1)
    head.write_text(before_it)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["commitInfo"].pop("procwire.previous")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = records(older)
    assert "kept" in repaired(older).commits[0]
    assert records(older) == before
    goes_on(older, batch_of)


@pytest.mark.parametrize("version", [1, 2, 4])
def test_deleted_commit_costs_its_rows_and_its_files_are_kept(filled: Lake, batch_of: BatchOf, version: int) -> None:
    """The last one too, of which nothing but the head tells."""
    commit(filled, version).unlink()
    if version < 4:
        with pytest.raises(DamageError, match=commit_path(version)):
            Lake.open(filled.location)
    found = repaired(filled)
    assert commit_path(version) in found.commits[0]
    [unnamed] = found.unnamed
    assert (Path(found.aside or "") / unnamed.partition(":")[0]).exists()
    assert records(filled) == [number for number in range(4) if number != version - 1]
    goes_on(filled, batch_of)


def test_edited_commit_is_found_and_its_file_kept(filled: Lake, batch_of: BatchOf) -> None:
    path = commit(filled, 2)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if '"add"' not in line) + "\n")
    found = repaired(filled)
    assert commit_path(2) in found.commits[0]
    assert len(found.unnamed) == 1
    assert records(filled) == [0, 2, 3]
    goes_on(filled, batch_of)


def test_broken_line_of_a_commit_costs_no_more_than_it_must(filled: Lake, batch_of: BatchOf) -> None:
    """What the commit adds is reported by its other lines."""
    path = commit(filled, 2)
    content = path.read_text().splitlines()
    path.write_text("\n".join([content[0][: len(content[0]) // 2], *content[1:]]) + "\n")
    found = repaired(filled)
    assert "kept" in found.commits[0]
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


def test_broken_compaction_doubles_nothing(filled: Lake, batch_of: BatchOf) -> None:
    """Whichever of its lines is broken, there is each row once."""
    for number in range(3):
        filled.append(
            [batch_of({"record_id": 10 + number, "event_creation_time": DAYS[0]})], source="b", version=number
        )
    filled.compact()
    filled.table.reload()
    whole = Path(shutil.copytree(filled.location, f"{filled.location}-whole"))
    names = [path.name for path in commit(filled, 0).parent.glob("*.json")]
    compactions = [name for name in sorted(names) if '"remove"' in (commit(filled, 0).parent / name).read_text()]
    assert compactions
    for name in compactions:
        lines = (whole / "connections" / "_delta_log" / name).read_bytes().splitlines()
        for broken in range(len(lines)):
            shutil.rmtree(filled.location)
            shutil.copytree(whole, filled.location)
            kept = [line[:-9] if number == broken else line for number, line in enumerate(lines)]
            (commit(filled, 0).parent / name).write_bytes(b"\n".join(kept) + b"\n")
            repaired(filled)
            assert records(filled) == [0, 1, 2, 3, 10, 11, 12]


@pytest.mark.parametrize("version", range(4))
def test_broken_commit_of_readings_leaves_the_lake_readable(filled: Lake, batch_of: BatchOf, version: int) -> None:
    path = commit(filled, version, "readings")
    path.write_bytes(b"\0" * 900 + path.read_bytes()[900:])
    lake = Lake.open(filled.location)
    assert records(lake) == [0, 1, 2, 3]
    lake.append([batch_of({"record_id": 4})], source="b", version=0)
    assert records(lake) == [0, 1, 2, 3, 4]
    if version < 3:
        assert "readings" in (lake.info().error or "")
        with pytest.raises(LakeError):
            lake.readings.all()
    repaired(lake, "readings")
    lost = [] if version == 0 else [["x", "y", "z"][version - 1]]
    found = [reading.source for reading in Lake.open(lake.location).readings.all()]
    assert set(found) | set(lost) == {"x", "y", "z"}
    goes_on(lake, batch_of)


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_first_commit_is_made_again(filled: Lake, batch_of: BatchOf, damage: Callable[[Path], None]) -> None:
    damage(commit(filled, 0))
    repaired(filled)
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"version": 1, "commit": "x"}', b"\xff"])
def test_head_is_made_again(filled: Lake, batch_of: BatchOf, content: bytes | None) -> None:
    head = Path(filled.location, "_procwire", "connections.json")
    head.unlink()
    if content is not None:
        head.write_bytes(content)
    repaired(filled)
    assert records(filled) == [0, 1, 2, 3]
    goes_on(filled, batch_of)


def test_head_of_a_newer_procwire_is_left_alone(filled: Lake) -> None:
    head = Path(filled.location, "_procwire", "connections.json")
    head.write_text(json.dumps({**json.loads(head.read_text()), "version": 2}))
    with pytest.raises(LakeError, match="found version 2, expected 1"):
        repair(filled.location)


def test_table_that_is_gone_is_reported(filled: Lake, batch_of: BatchOf) -> None:
    shutil.rmtree(Path(filled.location, "readings"))
    assert faults(filled) == ["readings/is missing, expected its commit 3"]
    assert repaired(filled, "readings").commits == ["the entire table is missing: its next row creates a new one"]
    goes_on(filled, batch_of)


def test_older_lake_is_repaired(tmp_path: Path, batch_of: BatchOf) -> None:
    lake = Lake.open(shutil.copytree(GOLDEN, tmp_path / "lake"))
    path = Path(lake.files()[0])
    rows = lake.snapshot()[0].rows
    path.write_bytes(path.read_bytes()[:-3])
    before = len(records(Lake.open(GOLDEN)))
    assert repaired(lake).rows == rows
    assert len(records(lake)) == before - rows
    goes_on(lake, batch_of)


def test_object_store_and_no_lake_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder"):
        repair("s3://bucket/lake")
    with pytest.raises(UsageError, match="found no lake"):
        repair(str(tmp_path))
