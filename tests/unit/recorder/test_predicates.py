"""Predicates in SQL, in each vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from fakes import live
from hypothesis import given, settings
from hypothesis import strategies as st

from procwire.errors import LimitError, UsageError
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, LIVE_SCHEMA
from procwire.recorder.predicates import Where
from procwire.select import Selection

if TYPE_CHECKING:
    from procwire.choices import Names

PATHS = ["/usr/bin/curl", "/usr/bin/wget", "/opt/CURL", "/usr/bin/curl2", None, "/usr/bin/Ärger"]
ROWS = live(*({"process_name": path, "dst_port": port} for port, path in enumerate(PATHS)))


@pytest.mark.parametrize(
    ("where", "names", "kept"),
    [
        ("dst_port IN (1, 3)", "ossem", [1, 3]),
        ("DestinationPort = 2", "sysmon", [2]),
        ('"DstPortNumber" > 3', "ossem-cdm", [4, 5]),
        ("process_base_name = 'curl'", "ossem", [0]),
        ("ProcessName = 'curl' OR ProcessName = 'CURL'", "sysmon", [0, 2]),
        ("process_name IS NULL -- a comment", "ossem", [4]),
        ("DST_PORT = 1", "ossem", [1]),
        ("1 = 1", "ossem", [0, 1, 2, 3, 4, 5]),
        ("NULL", "ossem", []),
        ("record_kind = 'connection' AND dst_port % 2 = 0", "ossem", [0, 2, 4]),
    ],
)  # fmt: skip
def test_sql_keeps_rows_for_which_it_holds(where: str, names: Names, kept: list[int]) -> None:
    found = Where([where], names)(ROWS)
    assert found.schema.equals(LIVE_SCHEMA)
    assert found.column("dst_port").to_pylist() == kept


@pytest.mark.parametrize("where", ["dst_prt = 1", "dst_port =", "true) OR (true", "count(*) > 1"])
def test_bad_sql_is_reported_at_once(where: str) -> None:
    with pytest.raises(UsageError):
        Where([where], "ossem")


@pytest.mark.parametrize("field", FIELDS + LIVE_FIELDS + DERIVED, ids=lambda field: field.name)
@pytest.mark.parametrize("names", ["ossem", "sysmon", "ossem-cdm"])
def test_every_column_can_be_asked_for(field: object, names: Names) -> None:
    """Though only those that the predicate speaks of are handed to DuckDB."""
    name = field.named(names)  # type: ignore[attr-defined]
    assert Where([f'"{name}" IS NULL OR "{name}" IS NOT NULL'], names)(ROWS).num_rows == len(PATHS)


@settings(deadline=None, max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 65_535), st.sampled_from(PATHS)), max_size=60), st.integers(0, 65_535))
def test_sql_agrees_with_a_selection(rows: list[tuple[int, str | None]], port: int) -> None:
    """The slow, obvious way: of all columns, by the query that `read` makes."""
    batch = live(*({"dst_port": found, "process_name": path} for found, path in rows))
    where = f"dst_port < {port} OR process_base_name = 'curl'"
    names = [field.name for field in FIELDS + LIVE_FIELDS]
    slow = [row for part in Selection(where=where, columns=names, live=True).apply([batch]) for row in part.to_pylist()]
    assert Where([where], "ossem")(batch).to_pylist() == slow


def test_a_row_that_cannot_be_decided_is_kept_and_counted() -> None:
    """Those beside it are decided all the same."""
    reported: list[str] = []
    where = Where(["CAST(process_name AS INTEGER) = 2"], "ossem", reported.append)
    batch = live(*({"process_name": name} for name in ("1", "2", "none", "3", "2", "nothing")))
    assert where(batch).column("process_name").to_pylist() == ["2", "none", "2", "nothing"]
    assert where(live({"process_name": "1"})).num_rows == 0
    assert where.undecided == 2
    [line] = reported
    assert line.startswith("cannot evaluate --where on every row, and keeps those: SQL: ")


def test_a_predicate_that_takes_too_long_again_and_again_is_no_longer_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    where = Where(["dst_port = 1"], "ossem")
    asked: list[int] = []

    def slow(batch: pa.RecordBatch) -> pa.RecordBatch:
        asked.append(batch.num_rows)
        raise LimitError("ran longer than its limit")

    monkeypatch.setattr(where, "_kept", slow)
    for _ in range(5):
        assert where(ROWS).num_rows == ROWS.num_rows
    assert (len(asked), where.undecided) == (3, 5 * ROWS.num_rows)
