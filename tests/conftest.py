"""What many tests need: rows of the event table, and a log; and which tests may run side by side."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from event_rows import BatchOf, Row, full_row
from procwire.event import SCHEMA

pytest_plugins = ["lake_fixtures", "recording_fixtures", "spark_fixtures"]

_TESTS = Path(__file__).parent
_ALONE = (_TESTS / "sensor", _TESTS / "crash")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the machine for itself. Files keep together, and all that asks Spark: it starts once."""
    for item in items:
        if any(folder in item.path.parents for folder in _ALONE):
            item.add_marker("alone")
        asks_spark = "spark_master" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("spark" if asks_spark else str(item.path)))


@pytest.fixture(scope="session")
def batch_of() -> BatchOf:
    """Builds a batch with a row for each dict: the mission's sample with these changes."""

    def build(*rows: Row) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([full_row(row) for row in rows], schema=SCHEMA)

    return build


@pytest.fixture(scope="session")
def example_log() -> Path:
    """The real log that ships with the project: 153 connections among 1,730 records."""
    return Path(__file__).parents[1] / "examples" / "sysmon.evtx"
