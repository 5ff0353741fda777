"""Provide what many tests need: rows of the event table, and a log; and decide which tests may run in parallel."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import settings

from event_rows import BatchOf, Row, full_row
from procwire.event import SCHEMA

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["lake_fixtures", "recording_fixtures", "spark_fixtures"]

_TESTS = Path(__file__).parent
_ALONE = (_TESTS / "sensor", _TESTS / "crash")

# On a busy machine an example takes as long as others let it.
settings.register_profile("procwire", deadline=None)
settings.load_profile("procwire")

# A shell's background jobs ignore Ctrl-C, which tests send to themselves and to their children.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the machine for themselves."""
    for item in items:
        if any(folder in item.path.parents for folder in _ALONE):
            item.add_marker("alone")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Let a file's tests share a worker, and all that query Spark: its cluster starts once."""
    # Exists only if tests run in parallel. (`--dist loadgroup` is lost on pytest 9.2.)
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "spark" if file.endswith("_on_spark.py") else file

    return Files(config, log)


@pytest.fixture(scope="session")
def batch_of() -> BatchOf:
    """Build a batch with a row for each dict: the mission's sample with these changes."""

    def build(*rows: Row) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([full_row(row) for row in rows], schema=SCHEMA)

    return build


@pytest.fixture(scope="session")
def example_log() -> Path:
    """Return the real log that ships with the project: 153 connections among 1,730 records."""
    return Path(__file__).parents[1] / "examples" / "sysmon.evtx"
