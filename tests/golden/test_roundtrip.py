"""What procwire writes it reads back into the same table."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from procwire.event import fields
from procwire.ledger import Ledger
from procwire.select import STORED_GROUPS, TEXT_GROUPS, Selection
from procwire.sinks import open_sink
from procwire.sources import read_batches

ROOT = Path(__file__).parents[2]
INPUTS = [str(ROOT / "examples" / "sysmon.evtx"), str(ROOT / "tests" / "data")]
COLUMNS = [field.name for field in fields("event", "system", "address")]


def written(name: str) -> tuple[pa.Table, bytes]:
    """Every connection of the corpus, and the same as a sink writes it."""
    selection = Selection(groups=STORED_GROUPS if name == "xml" else TEXT_GROUPS)
    stream = io.BytesIO()
    sink = open_sink(name, stream, selection.schema)
    batches = list(read_batches(INPUTS, ledger=Ledger()))
    for batch in selection.apply(batches):
        sink.write(batch)
    sink.close()
    return pa.Table.from_batches(batches).select(COLUMNS), stream.getvalue()


def read_back(content: bytes, path: Path) -> tuple[pa.Table, Ledger]:
    """What is read from `content`."""
    path.write_bytes(content)
    ledger = Ledger()
    return pa.Table.from_batches(list(read_batches([path], ledger=ledger))).select(COLUMNS), ledger


def to_milliseconds(table: pa.Table) -> pa.Table:
    """As text formats have times."""
    for index, name in enumerate(table.column_names):
        if pa.types.is_timestamp(table.schema.field(name).type):
            table = table.set_column(index, name, pc.floor_temporal(table[name], unit="millisecond"))
    return table


def assert_same_rows(mine: pa.Table, theirs: pa.Table) -> None:
    assert mine.num_rows == theirs.num_rows > 500
    for name in COLUMNS:
        assert mine[name].to_pylist() == theirs[name].to_pylist(), name


def test_sysmon_xml_gives_the_same_table(tmp_path: Path) -> None:
    table, content = written("xml")
    back, ledger = read_back(content, tmp_path / "connections.xml")
    assert not ledger.damaged
    # Event XML has milliseconds in UtcTime, where some shippers' logs have more; and all else.
    assert_same_rows(with_utc_time_in_milliseconds(table), with_utc_time_in_milliseconds(back))


def with_utc_time_in_milliseconds(table: pa.Table) -> pa.Table:
    floored = pc.floor_temporal(table["event_creation_time"], unit="millisecond")
    return table.set_column(0, "event_creation_time", floored)


@pytest.mark.parametrize("name", ["ndjson", "csv"])
def test_text_formats_give_the_same_table_to_the_millisecond(name: str, tmp_path: Path) -> None:
    table, content = written(name)
    back, ledger = read_back(content, tmp_path / f"connections.{name}")
    assert not ledger.damaged
    assert_same_rows(to_milliseconds(table), to_milliseconds(back))
