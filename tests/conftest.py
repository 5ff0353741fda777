"""What many tests need: rows of the event table, and a log."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from event_rows import BatchOf, Row, full_row
from procwire.event import SCHEMA

pytest_plugins = ["lake_fixtures", "recording_fixtures", "spark_fixtures"]


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
