"""Lakes of every version that was released: read, gone on with, compacted and verified by this one."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from event_rows import BatchOf
from procwire.event import LIVE_FIELDS
from procwire.hunts import load
from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.query import connect_lake

LAKES = sorted(path for path in (Path(__file__).parents[2] / "data" / "lakes").iterdir() if path.is_dir())
Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=LAKES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one."""
    return Path(shutil.copytree(request.param, tmp_path / "golden"))


def expected(golden: Path) -> Tables:
    return json.loads((golden / "expected.json").read_text())["tables"]  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else value


def kept(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [{name: plain(value) for name, value in row.items() if value is not None} for row in rows]
    return sorted(found, key=lambda row: (row["computer_name"], row["record_id"]))


def stored(lake: Lake) -> Tables:
    return {part.table.layout.name: kept(pa.Table.from_batches(part.batches()).to_pylist()) for part in lake.tables()}


def faults(lake: Lake) -> list[str]:
    return [fault for part in lake.tables() for fault in part.verify().faults]


def test_golden_lake_gives_the_rows_of_its_version(golden: Path) -> None:
    lake = Lake.open(golden / "lake")
    assert stored(lake) == expected(golden)
    assert faults(lake) == []


def test_golden_lake_gives_the_rows_of_its_version_to_duckdb(golden: Path) -> None:
    connection = connect_lake(golden / "lake")
    for name, rows in expected(golden).items():
        names = {name: None for row in rows for name in row}
        found = connection.sql(f"SELECT {', '.join(names)} FROM {name}").to_arrow_table().to_pylist()
        assert kept(found) == rows


def test_golden_lake_keeps_its_readings(golden: Path) -> None:
    lake = Lake.open(golden / "lake")
    found = [
        {"kind": reading.kind, "source": reading.source, "added": reading.added} for reading in lake.readings.all()
    ]
    assert found == json.loads((golden / "expected.json").read_text())["readings"]


def test_golden_lake_knows_its_logs_and_its_events(golden: Path) -> None:
    """Logs that it has are not read again; nor are their events added from another log."""
    lake = Lake.open(golden / "lake")
    again = Ingest(lake)
    other = golden / "other.xml"
    other.write_bytes((golden / "log0.xml").read_bytes() + b"\n")
    again.run([str(path) for path in (*sorted(golden.glob("log*.xml")), other)], ledger=Ledger())
    assert len(again.already) == 3
    assert not +again.added
    assert stored(Lake.open(golden / "lake")) == expected(golden)


def test_golden_lake_is_gone_on_with_compacted_and_verified(golden: Path, batch_of: BatchOf) -> None:
    lake = Lake.open(golden / "lake", create=True)
    assert lake.append([batch_of({"record_id": 7})], source="new", version=0)
    assert not lake.append([batch_of({"record_id": 7})], source="recording:golden", version=1)
    for part in lake.tables():
        part.compact()
    found = stored(Lake.open(golden / "lake"))
    before = expected(golden)
    assert [row for row in found["connections"] if row["computer_name"] != "DESKTOP-WARDOG"] == before["connections"]
    assert {**found, "connections": None} == {**before, "connections": None}
    assert len(found["connections"]) == len(before["connections"]) + 1
    assert faults(lake) == []


def test_golden_lake_is_asked_for_columns_of_today(golden: Path) -> None:
    """Those that its layout lacks are null, in SQL, and to every hunt that comes with procwire."""
    connection = connect_lake(golden / "lake")
    names = [field.name for field in LIVE_FIELDS if field.name != "record_kind"]
    counted = ", ".join(f"count({name}) AS {name}" for name in names)
    [found] = connection.sql(f"SELECT {counted} FROM connections").to_arrow_table().to_pylist()
    rows = expected(golden)["connections"]
    assert found == {name: sum(name in row for row in rows) for name in names}
    required = {"process": "/usr/bin/golden", "computer": "WS-1", "destination": "203.0.113.9"}
    for hunt in load():
        given = {parameter.name: required[parameter.name] for parameter in hunt.parameters if parameter.required}
        assert hunt.run(connection, **given).read_all().schema == hunt.schema
