"""Provide an empty lake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from procwire.lake.lake import Lake

Rows = list[dict[str, Any]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Lake], Rows]:
    """Return every row of a lake, in the order of their record ids."""

    def read(lake: Lake) -> Rows:
        batches = list(lake.batches())
        rows: Rows = pa.Table.from_batches(batches).to_pylist() if batches else []
        return sorted(rows, key=lambda row: (row["record_id"] is None, row["record_id"]))

    return read
