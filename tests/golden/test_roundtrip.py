"""What procwire writes it reads back into the same table."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest

from procwire.event import fields
from procwire.ledger import Ledger
from procwire.select import STORED_GROUPS, TEXT_GROUPS, Selection
from procwire.sinks import open_sink
from procwire.sources import read_batches

ROOT = Path(__file__).parents[2]
# Without the golden lakes and recordings: they have rows that no log has.
INPUTS = [
    str(ROOT / "examples" / "sysmon.evtx"),
    *(
        str(path)
        for path in sorted((ROOT / "tests" / "data").iterdir())
        if path.name not in {"lakes", "recordings", "shapes"}
    ),
]
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


def assert_same_rows(mine: pa.Table, theirs: pa.Table) -> None:
    assert mine.num_rows == theirs.num_rows > 500
    for name in COLUMNS:
        assert mine[name].to_pylist() == theirs[name].to_pylist(), name


@pytest.mark.parametrize("name", ["ndjson", "csv", "xml"])
def test_text_formats_give_the_same_table(name: str, tmp_path: Path) -> None:
    table, content = written(name)
    back, ledger = read_back(content, tmp_path / f"connections.{name}")
    assert not ledger.damaged
    assert_same_rows(table, back)
