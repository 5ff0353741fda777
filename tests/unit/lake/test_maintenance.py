"""Care of the lake: compaction, expiry, verification, and that none of them costs a row."""

from __future__ import annotations

import os
import random
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from event_rows import BatchOf, Row
from procwire.errors import DamageError
from procwire.lake import maintenance, sorting
from procwire.lake.lake import Lake
from procwire.lake.schema import SORT
from procwire.lake.table import ConflictError

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def varied(seed: int, count: int) -> list[Row]:
    chance = random.Random(seed)
    return [
        {
            "event_creation_time": NOON + timedelta(seconds=chance.randrange(80_000)),
            "computer_name": chance.choice(["b", "a", "ä", None]),
            "process_name": chance.choice(["z.exe", "Y.exe", None]),
            "record_id": record,
        }
        for record in range(count)
    ]


def rows(lake: Lake) -> list[Row]:
    found: list[Row] = pa.Table.from_batches(lake.batches()).to_pylist()
    return found


def by_record(found: list[Row]) -> list[Row]:
    return sorted(found, key=lambda row: row["record_id"])


@pytest.mark.parametrize("slice_rows", [10, 1 << 20])
def test_compact_sorts_a_day_and_keeps_every_row(
    lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch, slice_rows: int
) -> None:
    """As a whole, and a few machines at a time, those without a name too."""
    monkeypatch.setattr(sorting, "_SLICE_ROWS", slice_rows)
    for number, start in enumerate(range(0, 60, 20)):
        lake.append([batch_of(*varied(1, 60)[start : start + 20])], source="a", version=number)
    before = by_record(rows(lake))
    done = lake.compact()
    assert (done.files_before, done.files_after, done.rows) == (6, 2, 60)
    assert by_record(rows(lake)) == before
    for path in lake.files():
        order = [tuple((row[name] is None, row[name]) for name in SORT) for row in pq.read_table(path).to_pylist()]
        assert order == sorted(order)
    assert lake.verify().faults == []
    assert lake.compact().days == 0


def test_compact_splits_a_large_day(lake: Lake, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_SLICE_ROWS", 10)
    monkeypatch.setattr(maintenance, "_FILE_ROWS", 20)
    lake.append([batch_of(*({**row, "event_creation_time": NOON} for row in varied(2, 60)))], source="a", version=1)
    lake.compact()
    assert len(lake.files()) > 1
    assert lake.info().events == 60
    assert lake.compact().days == 0


def test_second_of_two_compactions_gives_up_or_goes_on(lake: Lake, batch_of: BatchOf) -> None:
    """Delta itself would let both of them add the rows that they read."""
    for number in range(3):
        lake.append([batch_of({"record_id": number})], source="a", version=number)
    other = Lake.open(lake.location)
    late = maintenance.Compaction()
    files = other.table.snapshot()
    assert lake.compact().files_after == 1
    with pytest.raises(ConflictError):
        maintenance._rewrite(other.table, files, late, "sorted")
    assert other.compact().days == 0
    assert [row["record_id"] for row in by_record(rows(lake))] == [0, 1, 2]
    # Nor did it leave its file.
    assert len(lake.verify().others) == 3


def test_append_during_a_compaction_is_kept(lake: Lake, batch_of: BatchOf) -> None:
    lake.append([batch_of({"record_id": 0})], source="a", version=0)
    other = Lake.open(lake.location)
    lake.append([batch_of({"record_id": 1})], source="a", version=1)
    maintenance.compact(other.table)
    assert [row["record_id"] for row in by_record(rows(lake))] == [0, 1]


def test_expire_after_a_compaction_takes_nothing_back(lake: Lake, batch_of: BatchOf) -> None:
    """A compaction that read the days before they were dropped must not bring them back."""
    for number in range(2):
        lake.append([batch_of({"record_id": number})], source="a", version=number)
    other = Lake.open(lake.location)
    files = other.table.snapshot()
    lake.expire(timedelta(days=1))
    with pytest.raises(ConflictError):
        maintenance._rewrite(other.table, files, maintenance.Compaction(), "sorted")
    assert lake.info().events == 0


def test_small_files_are_merged_as_it_goes(lake: Lake, batch_of: BatchOf) -> None:
    most = 0
    for number in range(40):
        lake.append([batch_of({"record_id": number})], source="a", version=number)
        most = max(most, len(lake.files()))
    assert most < 17
    assert [row["record_id"] for row in by_record(rows(lake))] == list(range(40))


def test_expire_drops_whole_days_only(lake: Lake, batch_of: BatchOf) -> None:
    """What has no time is never too old."""
    times = [datetime(2024, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
    changes = [{"event_creation_time": time} for time in times]
    timeless = {"event_creation_time": None, "event_recorded_time": None}
    lake.append([batch_of(*changes, timeless)], source="a", version=1)
    now = datetime(2024, 3, 4, 11, tzinfo=UTC)
    gone = lake.expire(timedelta(days=2), now=now)
    assert [str(file.day) for file in gone] == ["2024-03-01"]
    kept = [row["event_creation_time"] for row in rows(lake)]
    assert sorted(kept, key=str) == sorted([times[1], times[2], None], key=str)
    assert lake.expire(timedelta(days=2), now=now) == []


def test_replaced_files_stay_a_day_for_those_who_read_them(lake: Lake, batch_of: BatchOf) -> None:
    for number in range(2):
        lake.append([batch_of({})], source="a", version=number)
    before = lake.files()
    lake.compact()
    assert all(Path(file).exists() for file in before)
    assert sorted(path for path, _ in lake.verify().others) == sorted(file.split("connections/")[1] for file in before)


def test_orphans_of_killed_writers_go_after_a_day(lake: Lake, batch_of: BatchOf) -> None:
    lake.append([batch_of({})], source="a", version=1)
    [path] = map(Path, lake.files())
    young, old = (path.with_name(f"part-{uuid.uuid4()}.parquet") for _ in range(2))
    for orphan in (young, old):
        orphan.write_bytes(path.read_bytes())
    os.utime(old, (0, 0))
    assert len(lake.verify().others) == 2
    lake.compact()
    assert young.exists()
    assert not old.exists()


def test_what_is_not_the_lakes_own_is_never_deleted(lake: Lake, batch_of: BatchOf) -> None:
    """However old: a folder of a lake may hold what somebody put there, evidence among it."""
    lake.append([batch_of({})], source="a", version=1)
    [path] = map(Path, lake.files())
    table = path.parents[1]
    foreign = [table / "notes.txt", table / "copy.parquet", table / "mine" / "log.evtx", path.with_name("a.parquet")]
    for file in foreign:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(path.read_bytes())
        os.utime(file, (0, 0))
    lake.append([batch_of({})], source="a", version=2)
    lake.compact()
    lake.expire(timedelta(days=1))
    assert all(file.exists() for file in foreign)


def damage_missing(path: Path) -> None:
    path.unlink()


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    first = pq.read_metadata(path).row_group(0).column(0)
    content[first.data_page_offset + first.total_compressed_size - 1] ^= 0xFF
    path.write_bytes(content)


def damage_rows(path: Path) -> None:
    whole = pq.read_table(path, partitioning=None)
    pq.write_table(pa.concat_tables([whole, whole]), path)


def damage_day(path: Path) -> None:
    whole = pq.read_table(path, partitioning=None)
    place = whole.schema.get_field_index("event_creation_time")
    later = pa.array([NOON + timedelta(days=1)] * whole.num_rows, whole.schema.field(place).type)
    pq.write_table(whole.set_column(place, whole.schema.field(place), later), path)


@pytest.mark.parametrize(
    ("damage", "reported"),
    [
        (damage_missing, "is missing"),
        (damage_cut, "bytes, expected"),
        (damage_byte, "block 0 (bytes 0 to "),
        (damage_rows, "bytes, expected"),
        (damage_day, "bytes, expected"),
    ],
)
def test_verify_tells_damage(lake: Lake, batch_of: BatchOf, damage, reported: str) -> None:  # type: ignore[no-untyped-def]
    lake.append([batch_of({"event_creation_time": NOON})], source="a", version=1)
    [path] = map(Path, lake.files())
    assert lake.verify().faults == []
    damage(path)
    assert any(fault.startswith("day=2024-03-01/part-") and reported in fault for fault in lake.verify().faults)


def test_verify_holds_rows_and_days_to_the_table(lake: Lake, batch_of: BatchOf) -> None:
    lake.append([batch_of({"event_creation_time": NOON})], source="a", version=1)
    [file] = lake.snapshot()
    other = replace(file, rows=2, day=date(2024, 3, 2))
    assert maintenance.faults_of(lake.table, other) == [
        "found 1 rows, expected 2",
        "found 1 rows of another day than 2024-03-02",
    ]


def test_compact_does_not_commit_when_rows_are_missing(lake: Lake, batch_of: BatchOf) -> None:
    """A file that is not as it was written is damage to be reported, not to be written over."""
    lake.append([batch_of({}, {})], source="a", version=1)
    [path] = map(Path, lake.files())
    pq.write_table(pq.read_table(path, partitioning=None).slice(0, 1), path)
    with pytest.raises(DamageError, match=r"part-.*: found .* bytes, expected"):
        lake.compact()
    assert lake.files() == [str(path)]
