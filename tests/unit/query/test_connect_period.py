"""`since` and `until` of `connect`: rows of logs and tables, days of a lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import procwire
from event_rows import BatchOf
from procwire.errors import UsageError
from procwire.lake import Lake

DAYS = [datetime(2024, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3, 4)]
SINCE, UNTIL = DAYS[1], DAYS[2]


@pytest.fixture
def rows(batch_of: BatchOf) -> pa.Table:
    """One a day at noon, and one without a time."""
    times = [*({"event_creation_time": day, "dst_port": day.day} for day in DAYS), {}]
    nothing = {"event_creation_time": None, "event_recorded_time": None}
    return pa.Table.from_batches([batch_of(*(row or nothing for row in times))])


def ports(source: Any, since: datetime | None = None, until: datetime | None = None) -> list[int]:
    with procwire.connect(source, since=since, until=until) as database:
        found = database.sql("SELECT dst_port FROM connections ORDER BY 1").fetchall()
    return [port for (port,) in found]


def test_a_table_and_a_lake_give_the_same(rows: pa.Table, tmp_path: Path) -> None:
    """`since` is in the period, `until` is not; what has no time is in none."""
    Lake.open(tmp_path, create=True).append(rows, source="test", version=1)
    for source in (rows, tmp_path):
        assert ports(source, SINCE, UNTIL) == [2]
        assert ports(source, until=UNTIL) == [1, 2]
        assert ports(source, until=UNTIL + timedelta(microseconds=1)) == [1, 2, 3]
        assert ports(source, SINCE) == [2, 3, 4]
        assert len(ports(source)) == 5


def test_days_outside_are_not_read(rows: pa.Table, tmp_path: Path) -> None:
    """They could not be: their files hold nonsense."""
    Lake.open(tmp_path, create=True).append(rows, source="test", version=1)
    for day in (DAYS[0], DAYS[3]):
        for file in (tmp_path / "connections" / f"day={day:%F}").iterdir():
            file.write_bytes(b"nonsense")
    assert ports(tmp_path, SINCE, UNTIL) == [2]


def test_a_period_without_an_inside_is_an_error_at_once(example_log: Path, tmp_path: Path) -> None:
    for source in (example_log, tmp_path):
        with pytest.raises(UsageError, match=r"^found until .*, expected a time after since"):
            procwire.connect(source, since=UNTIL, until=SINCE)
