"""Texts as dictionaries are the same texts, through the reader and in the lake's files."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.lake.ingest import Ingest
from procwire.lake.lake import Lake
from procwire.ledger import Ledger
from procwire.sources import read_events

ROOT = Path(__file__).parents[2]
# Without the golden lakes and recordings: they have rows that no log has.
INPUTS = [
    str(ROOT / "examples" / "sysmon.evtx"),
    *(str(path) for path in sorted((ROOT / "tests" / "data").iterdir()) if path.name not in {"lakes", "recordings"}),
]


def tables(*, coded: bool) -> dict[str, pa.Table]:
    """All that the logs have, by table."""
    batches = defaultdict(list)
    for event, batch in read_events(INPUTS, coded=coded, ledger=Ledger()):
        batches[event.table].append(batch)
    return {name: pa.Table.from_batches(parts) for name, parts in batches.items()}


def test_coded_batches_hold_the_same_rows() -> None:
    plain, coded = tables(coded=False), tables(coded=True)
    assert set(coded) == set(plain) == {"connections", "process_creations", "dns_queries"}
    for name, rows in plain.items():
        texts = {column.name for column in rows.schema if column.type in (pa.string(), pa.binary())}
        assert texts == {column.name for column in coded[name].schema if pa.types.is_dictionary(column.type)}
        assert coded[name].cast(rows.schema).equals(rows)


def test_a_lake_has_the_same_rows_whether_texts_came_coded_or_not(tmp_path: Path) -> None:
    """With a step, rows go through it as `event.SCHEMA` has them."""
    found = []
    for number, step in enumerate([None, lambda batch: batch]):
        lake = Lake.open(tmp_path / str(number), create=True)
        Ingest(lake, step=step).run(INPUTS, ledger=Ledger())
        for table in lake.tables():
            for path in table.files():
                assert not any(pa.types.is_dictionary(column.type) for column in pq.read_schema(path))
        parts = {table.table.layout.name: pa.Table.from_batches(table.batches()) for table in lake.tables()}
        order = [("source_file", "ascending"), ("source_offset", "ascending"), ("source_line", "ascending")]
        found.append({name: rows.sort_by(order) for name, rows in parts.items()})
    assert found[0].keys() == found[1].keys()
    assert all(rows.num_rows and rows.equals(found[1][name]) for name, rows in found[0].items())
