"""`read --to xml` read back gives the same table: real logs of every kind, and hard values."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from command_line import invoke
from event_rows import BatchOf, Row
from procwire.event import SCHEMA, fields
from procwire.ledger import Ledger
from procwire.sinks import open_sink
from procwire.sources import read_batches

DATA = Path(__file__).parents[2] / "data"
KEPT = [field.name for field in fields("event", "system", "address")]


def table(path: Path) -> pa.Table:
    """Everything but where it was read from."""
    return pa.Table.from_batches(read_batches([path], ledger=Ledger()), SCHEMA).select(KEPT)


@pytest.mark.parametrize("kind", ["evtx", "json", "linux", "xml", "csv-azure"])
def test_real_logs_come_back(kind: str, tmp_path: Path) -> None:
    result = invoke("read", str(DATA / kind), "--to", "xml", "-o", str(tmp_path / "events.xml"))
    assert result.exit_code in (0, 3)
    first = table(DATA / kind)
    assert first.num_rows > 0
    assert table(tmp_path / "events.xml") == first


@pytest.mark.parametrize(
    "changes",
    [
        {"user_name": "\r\n\t ä漢😀 <&>\"' ]]> \x85\x9b\x7f \u2028"},
        {"process_name": " C:\\leading and trailing blanks ", "rule_name": "--"},
        {"logger_user_sid": "\r\n\t <&>\"' ", "computer_name": "&amp;"},
        {"src_ip": "::ffff:10.0.2.15", "dst_ip": "::"},
        {"provider_guid": None, "logger_process_id": None, "event_recorded_time": None},
        dict.fromkeys(name for name in KEPT if name not in ("event_id", "provider_name")),
    ],
)
def test_hard_values_come_back(batch_of: BatchOf, changes: Row, tmp_path: Path) -> None:
    batch = batch_of(changes, {})
    with (tmp_path / "events.xml").open("wb") as stream:
        sink = open_sink("xml", stream, SCHEMA)
        sink.write(batch)
        sink.close()
    assert table(tmp_path / "events.xml").to_pylist() == batch.select(KEPT).to_pylist()
