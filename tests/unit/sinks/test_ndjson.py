"""The NDJSON sink: exact text, and equal values when parsed back."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_rows import BatchOf
from procwire.event import SCHEMA
from procwire.sinks.ndjson import NdjsonSink


def written(batch: pa.RecordBatch) -> str:
    stream = io.BytesIO()
    sink = NdjsonSink(stream, batch.schema)
    sink.write(batch)
    sink.close()
    return stream.getvalue().decode()


def test_mission_row_gives_golden_line(batch_of: BatchOf) -> None:
    columns = ["event_creation_time", "process_id", "user_name", "network_connection_initiated", "src_host_name"]
    assert written(batch_of({}).select([*columns, "src_ip_bytes"])) == (
        '{"event_creation_time":"2018-04-11T05:29:35.394Z","process_id":4,"user_name":"NT AUTHORITY\\\\SYSTEM",'
        '"network_connection_initiated":false,"src_host_name":null,'
        '"src_ip_bytes":"00000000000000000000FFFFC0A840FF"}\n'
    )


def test_whole_row_keeps_the_columns_order(batch_of: BatchOf) -> None:
    assert list(json.loads(written(batch_of({})))) == SCHEMA.names


def test_empty_batch_writes_nothing() -> None:
    assert written(pa.RecordBatch.from_pylist([], schema=SCHEMA)) == ""


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(
        st.tuples(
            texts,
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.booleans(),
            st.none() | st.binary(max_size=20),
        )
    )
)
def test_any_values_parse_back(rows: list[tuple[str | None, int | None, bool | None, bytes | None]]) -> None:
    """Every kind of column, constant or varied, with and without nulls: equal values come back, a line a row."""
    kinds = [("text", pa.string()), ("number", pa.int64()), ("flag", pa.bool_()), ("bytes", pa.binary())]
    schema = pa.schema(kinds)
    batch = pa.RecordBatch.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    lines = written(batch).split("\n")
    assert lines.pop() == ""
    expected = [
        {"text": text, "number": number, "flag": flag, "bytes": None if raw is None else raw.hex().upper()}
        for text, number, flag, raw in rows
    ]
    assert [json.loads(line) for line in lines] == expected


@pytest.mark.parametrize("part", [slice(0, 50_000), slice(17, 40_000), slice(49_999, 50_000)])
def test_slices_of_a_large_batch_parse_back(part: slice) -> None:
    """More rows than a chunk, and an offset into Arrow's buffers."""
    rng = random.Random(3)
    count = 50_000
    table = pa.table(
        {
            "n": pa.array([rng.randrange(1 << 40) for _ in range(count)], pa.int64()),
            "port": pa.array([rng.choice([None, 53, 443]) for _ in range(count)], pa.int32()),
            "name": pa.array([rng.choice([None, "a", 'b"\\']) for _ in range(count)]),
            "raw": pa.array([rng.choice([None, b"", b"\x00\xff"]) for _ in range(count)], pa.binary()),
        }
    )
    batch = table.to_batches()[0].slice(part.start, part.stop - part.start)
    expected = batch.to_pylist()
    for row in expected:
        row["raw"] = None if row["raw"] is None else row["raw"].hex().upper()
    assert [json.loads(line) for line in written(batch).splitlines()] == expected


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_999, "1970-01-01T00:00:00.001999Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (253_402_300_800_000_000, "10000-01-01T00:00:00.000Z"),
        (int(datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC).timestamp() * 1_000_000), "2024-02-29T23:59:59.999999Z"),
    ],
)
def test_times_keep_all_their_digits(microseconds: int, text: str) -> None:
    """Before 1970 and after 9999 too: a forged FILETIME reaches the year 30828."""
    times = pa.array([microseconds, None, 0], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    first = json.loads(written(pa.record_batch({"t": times})).splitlines()[0])
    assert first == {"t": text}


def test_controls_never_stand_raw() -> None:
    """ESC, CSI (C1) and DEL are escaped: a terminal would obey them."""
    line = written(pa.record_batch({"x": ["\x1b[31m\x9b\x7f\r"]}))
    assert line == '{"x":"\\u001b[31m\\u009b\\u007f\\u000d"}\n'
