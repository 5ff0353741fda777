"""A layout that changes: a lake gets the new columns, an older procwire refuses to write, and nobody loses a value."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from event_rows import BatchOf
from procwire.errors import LakeError
from procwire.event import LIVE_FIELDS
from procwire.lake.lake import Lake
from procwire.lake.repair import repair
from procwire.lake.schema import CONNECTIONS, CONTEXT, LAYOUT_VERSION, READINGS
from procwire.query import connect_lake

GOLDEN = Path(__file__).parents[2] / "data" / "lakes" / "0.1.0-a" / "lake"

_LATER = Path(__file__).with_name("later.py.txt").read_text()


def later(script: str, location: Path) -> str:
    """Run a script under a procwire whose events have one more column; what it prints."""
    done = subprocess.run([sys.executable, "-c", _LATER + script, str(location)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["golden", "new"])
def older(request: pytest.FixtureRequest, tmp_path: Path, batch_of: BatchOf) -> Path:
    """A lake of before the column: of the oldest layout, and of this version."""
    location = tmp_path / "lake"
    if request.param == "golden":
        shutil.copytree(GOLDEN, location)
    else:
        Lake.open(location, create=True).append([batch_of({}, {})], source="a", version=0)
    return location


def test_added_column_leaves_an_older_lake_whole(older: Path) -> None:
    """Read, verified, compacted and asked without a row of the new kind: the column is null."""
    printed = later(
        """
lake = Lake.open(location)
rows = lake.info().events
assert [part.verify().faults for part in lake.all_tables()] == [[]] * len(lake.all_tables())
assert weathers(lake.batches()) == []
for part in lake.all_tables():
    part.compact()
assert [part.verify().faults for part in lake.all_tables()] == [[]] * len(lake.all_tables())
assert connect_lake(location).sql("SELECT count(*), count(weather) FROM connections").fetchall() == [(rows, 0)]
assert pa.Table.from_batches(lake.batches()).num_rows == rows
print("whole")
""",
        older,
    )
    assert printed == "whole\n"


def test_added_column_keeps_its_values(older: Path) -> None:
    """Beside files that lack it, and through compaction; in Delta's own schema too."""
    later(
        """
lake = Lake.open(location, create=True)
rows = lake.info().events
lake.append([row(1, "rain"), row(2, None)], source="later", version=0)
for _ in range(2):
    assert weathers(Lake.open(location).batches()) == ["rain"]
    asked = connect_lake(location).sql("SELECT count(*), max(weather), count(weather) FROM connections")
    assert asked.fetchall() == [(rows + 2, "rain", 1)]
    assert lake.verify().faults == []
    lake.compact()
""",
        older,
    )
    assert "weather" in {field.name for field in DeltaTable(str(older / "connections")).schema().fields}


def test_older_procwire_reads_and_refuses_to_write(older: Path, batch_of: BatchOf) -> None:
    """It would rewrite files without the column: it names both layouts, and keeps to reading."""
    later('Lake.open(location, create=True).append([row(1, "rain")], source="later", version=0)', older)
    lake = Lake.open(older)
    files = lake.files()
    rows = sum(batch.num_rows for batch in lake.batches())
    assert connect_lake(older).sql("SELECT count(*) FROM connections").fetchall() == [(rows,)]
    reported = rf"found layout {LAYOUT_VERSION} and the columns weather, expected layout {LAYOUT_VERSION} or older"
    with pytest.raises(LakeError, match=reported):
        lake.append([batch_of({})], source="b", version=0)
    with pytest.raises(LakeError, match=reported):
        lake.compact()
    assert lake.files() == files
    assert later("print(weathers(Lake.open(location).batches()))", older) == "['rain']\n"


def test_older_procwire_verifies_a_newer_lake_and_does_not_repair_it(older: Path) -> None:
    """Columns that it does not know are no damage; and what is damaged stays as it is, the head too."""
    later('Lake.open(location, create=True).append([row(1, "rain")], source="later", version=0)', older)
    lake = Lake.open(older)
    assert lake.verify().faults == []
    file = Path(lake.files()[-1])
    file.write_bytes(b"PAR1" + file.read_bytes()[4:-8])
    assert [file.name in fault for fault in lake.verify().faults] == [True]
    before = {path: path.read_bytes() for path in older.rglob("*") if path.is_file()}
    for dry_run in (True, False):
        with pytest.raises(LakeError, match=r"columns weather, expected layout .* upgrade this one"):
            repair(str(older), dry_run=dry_run)
    assert {path: path.read_bytes() for path in older.rglob("*") if path.is_file()} == before


def test_older_writer_refuses_a_newer_layout_and_names_both(lake: Lake, batch_of: BatchOf) -> None:
    """One that was running when the lake was brought to the newer layout, too."""
    newer = DeltaTable(lake.table.uri)
    newer.alter.set_table_properties({"procwire.layout": str(LAYOUT_VERSION + 1)}, raise_if_not_exists=False)
    reported = rf"found layout {LAYOUT_VERSION + 1}, expected layout {LAYOUT_VERSION} or older: a newer procwire"
    with pytest.raises(LakeError, match=reported):
        lake.append([batch_of({})], source="a", version=0)
    assert Lake.open(lake.location).info().events == 0


def test_opening_an_older_lake_to_write_brings_it_to_this_layout(tmp_path: Path, batch_of: BatchOf) -> None:
    location = Path(shutil.copytree(GOLDEN, tmp_path / "lake"))
    lake = Lake.open(location, create=True)
    assert lake.table.layout_version == 1
    lake.append([batch_of({})], source="a", version=0)
    assert Lake.open(location).table.layout_version == LAYOUT_VERSION


def test_reading_an_older_lake_changes_nothing(tmp_path: Path) -> None:
    location = Path(shutil.copytree(GOLDEN, tmp_path / "lake"))
    before = sorted(path for path in location.rglob("*"))
    lake = Lake.open(location)
    assert sum(batch.num_rows for batch in lake.batches())
    lake.readings.all()
    for part in lake.all_tables():
        part.verify()
    connect_lake(location).sql("SELECT count(*) FROM connections").fetchall()
    assert sorted(path for path in location.rglob("*")) == before


def test_columns_of_a_layout_never_change() -> None:
    """Who adds a column raises LAYOUT_VERSION, keeps a golden lake of the one before, and notes the columns here."""
    columns: dict[str, Any] = json.loads((Path(__file__).with_name("layouts.json")).read_text())
    found = {
        layout.name: [f"{column.name} {column.type}" for column in layout.schema]
        for layout in (CONNECTIONS, *CONTEXT, READINGS)
    }
    assert columns[str(LAYOUT_VERSION)] == found
    assert "weather" not in {field.name for field in LIVE_FIELDS}
