"""One pass over rows: exports complete what they have, closed passes let go of their logs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from procwire.errors import InputError, UsageError
from procwire.pipeline import Export, LogRows


def test_an_interrupted_export_can_be_completed(example_log: Path) -> None:
    """What was written until then is a whole file of the format."""
    rows, stream, held = LogRows([example_log], way="parquet"), io.BytesIO(), 0

    @contextmanager
    def interrupted() -> Iterator[None]:
        nonlocal held
        held += 1
        yield
        if held == 1:
            raise KeyboardInterrupt

    export = Export(rows, "parquet", stream)
    with pytest.raises(KeyboardInterrupt):
        export.write(held=interrupted)
    export.close()
    assert pq.read_table(pa.BufferReader(stream.getvalue())).num_rows > 0
    assert rows.ledger.events > 0


def test_an_export_counts_its_rows(example_log: Path) -> None:
    stream = io.BytesIO()
    export = Export(LogRows([example_log], way="ndjson", where="dst_port = 443"), "ndjson", stream)
    assert export.write() == 29
    export.close()
    assert stream.getvalue().count(b"\n") == 29


def test_progress_is_reported_in_bytes(example_log: Path) -> None:
    reported: list[tuple[int, int | None]] = []
    for _ in LogRows([example_log]).batches(lambda done, total: reported.append((done, total))):
        pass
    assert reported[-1] == (example_log.stat().st_size,) * 2


def test_only_a_checked_pass_raises_where_nothing_can_be_read(tmp_path: Path) -> None:
    missing = [tmp_path / "typo.evtx"]
    rows = LogRows(missing)
    assert list(rows.batches()) == []
    assert rows.ledger.nothing_read
    with pytest.raises(InputError, match=r"typo\.evtx"):
        list(LogRows(missing, checked=True).batches())


def test_a_lake_is_not_read_as_logs(tmp_path: Path) -> None:
    (tmp_path / "connections" / "_delta_log").mkdir(parents=True)
    with pytest.raises(UsageError, match="expected logs: `procwire lake export"):
        LogRows([tmp_path])


@pytest.mark.parametrize("way", [None, "csv"])
def test_a_period_bounds_every_pass(example_log: Path, way: str | None) -> None:
    """From since on, before until: together both halves have every row once."""
    moment = datetime(2017, 10, 23, 7, 0, tzinfo=UTC)

    def count(**period: datetime) -> int:
        return sum(batch.num_rows for batch in LogRows([example_log], way=way, **period).batches())  # type: ignore[arg-type]

    before, after = count(until=moment), count(since=moment)
    assert before > 0
    assert after > 0
    assert before + after == 153
    with pytest.raises(UsageError, match="expected a time after since"):
        count(since=moment, until=moment)


def test_growing_logs_have_no_order(example_log: Path) -> None:
    with pytest.raises(UsageError, match="they have no last row"):
        LogRows([example_log], follow=True, sort=["dst_port"])
