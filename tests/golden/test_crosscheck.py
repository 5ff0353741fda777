"""Two independent readers of EVTX say the same: PyPI `evtx` over every log, python-evtx (slow) over small ones."""

from __future__ import annotations

import itertools
import os
from datetime import timedelta
from pathlib import Path

import independent
import pytest
import truth

import procwire

CORPUS = Path(os.environ["PROCWIRE_CORPUS"]) if os.environ.get("PROCWIRE_CORPUS") else None
OURS = [case.path for case in truth.cases(truth.DATA) if case.name.startswith("evtx")] + [truth.EXAMPLE]
THEIRS = [case.path for case in truth.cases(CORPUS) if case.name.startswith("evtx")] if CORPUS else []
NO_EVTX = ("Yamato-Security/test1.evtx", "evtx-corrupt/fox-it/TestLogX.evtx")
LOGS = [
    pytest.param(path, id=str(path.relative_to(path.parents[2])))
    for path in OURS + THEIRS
    if not str(path).endswith(NO_EVTX)
]
# python-evtx reads about 100 records a second, and fails on a string that is not ASCII and on a missing document.
SMALL_BYTES = 70_000
MAX_RECORDS = 40
NOT_READ = ("dns_log_malformed", "issue_201")
FLOAT_ERROR = timedelta(microseconds=2)


def assert_equal(rows: list[truth.Row], theirs: list[truth.Row], *, time_error: timedelta = timedelta(0)) -> None:
    assert len(rows) == len(theirs)
    for row, other in zip(rows, theirs, strict=True):
        times = {column for column in other if column == "event_recorded_time"}
        assert {column: row[column] for column in other.keys() - times} == {c: other[c] for c in other.keys() - times}
        assert all(abs(row[column] - other[column]) <= time_error for column in times)


def expected(record: independent.Record) -> truth.Row:
    return truth.expected_row(record, shipped=False)


@pytest.mark.parametrize("path", LOGS)
def test_events_equal_what_pypi_evtx_reads(path: Path) -> None:
    """Its event 3 rows are ours, in the same order; and with and without recovery we see as many records."""
    documents = list(independent.evtx_documents(independent.unpacked(path)))
    theirs = [expected(record) for record in independent.evtx_network_connections(iter(documents))]
    for recover in (False, True):
        ledger = procwire.Ledger()
        table = procwire.scan(path, recover=recover, ledger=ledger).read_all()
        rows = [row for row in table.to_pylist() if not row["recovered"]]
        assert ledger.records >= len(documents)
        if path.name.startswith("trunc"):
            # It stops at the chunk that the file's end cuts.
            rows = rows[: len(theirs)]
        assert_equal(rows, theirs)


@pytest.mark.parametrize("path", LOGS)
def test_events_equal_what_python_evtx_reads(path: Path, tmp_path: Path) -> None:
    """Its event 3 rows are ours, and it sees no record that we do not."""
    raw = independent.unpacked(path)
    if len(raw) > SMALL_BYTES or path.name.startswith(NOT_READ):
        pytest.skip("too large for python-evtx, or with something that it cannot decode")
    unpacked = tmp_path / "log.evtx"
    unpacked.write_bytes(raw)
    documents = list(independent.python_evtx_documents(unpacked))
    theirs = [expected(record) for record in independent.python_evtx_network_connections(iter(documents))]
    ledger = procwire.Ledger()
    rows = procwire.scan(unpacked, ledger=ledger).read_all().to_pylist()
    assert ledger.records >= len(documents)
    # It computes times in floating point.
    assert_equal(rows, theirs, time_error=FLOAT_ERROR)


def test_events_of_the_example_equal_what_python_evtx_reads(tmp_path: Path) -> None:
    """The same for one chunk of the example, as a log of its own."""
    raw = truth.EXAMPLE.read_bytes()
    start = 4096 + 8 * 65536
    (tmp_path / "chunk.evtx").write_bytes(raw[:4096] + raw[start : start + 65536])
    documents = list(itertools.islice(independent.python_evtx_documents(tmp_path / "chunk.evtx"), MAX_RECORDS))
    theirs = [expected(record) for record in independent.python_evtx_network_connections(iter(documents))]
    rows = procwire.read(tmp_path / "chunk.evtx").to_pylist()[: len(theirs)]
    assert len(theirs) > 30
    assert_equal(rows, theirs, time_error=FLOAT_ERROR)
