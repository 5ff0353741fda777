"""The CSV sink: RFC 4180, and equal values when read back."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from event_rows import BatchOf
from procwire.sinks.csv import CsvSink
from procwire.sinks.protocol import Terminal


def written(batch: pa.RecordBatch, terminal: Terminal | None = None) -> str:
    stream = io.BytesIO()
    sink = CsvSink(stream, batch.schema, terminal)
    sink.write(batch)
    sink.close()
    return stream.getvalue().decode()


def test_rows_give_golden_text(batch_of: BatchOf) -> None:
    rows = batch_of({}, {"process_name": 'C:\\a "b", c.exe', "src_port": None})
    names = ["event_creation_time", "process_name", "src_host_name", "src_port", "src_is_ipv6", "dst_ip_bytes"]
    assert written(rows.select(names)) == (
        "event_creation_time,process_name,src_host_name,src_port,src_is_ipv6,dst_ip_bytes\r\n"
        "2018-04-11T05:29:35.394Z,System,,138,false,00000000000000000000FFFFC0A84087\r\n"
        '2018-04-11T05:29:35.394Z,"C:\\a ""b"", c.exe",,,false,00000000000000000000FFFFC0A84087\r\n'
    )


def test_header_stands_without_rows(batch_of: BatchOf) -> None:
    assert written(batch_of({}).select(["src_ip", "dst_ip"]).slice(0, 0)) == "src_ip,dst_ip\r\n"


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]), max_size=8)] * 2)))
def test_any_text_reads_back(rows: list[tuple[str, str]]) -> None:
    """Quotes, commas, line breaks and NUL come back as they were."""
    batch = pa.record_batch(
        {"a": pa.array([a for a, _ in rows], pa.string()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    text = written(batch)
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [list(row) for row in rows]


def test_terminal_gets_no_controls() -> None:
    """A file gets the value as it is; a terminal does not."""
    batch = pa.record_batch({"x": ["a\x1b]0;title\x07b"]})
    assert "\x1b" in written(batch)
    assert written(batch, Terminal(80)) == "x\r\na\ufffd]0;title\ufffdb\r\n"
