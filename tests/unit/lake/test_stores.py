"""The way to object stores, over a folder: deltalake's handler reads and writes it as it does a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from event_rows import BatchOf
from procwire.errors import DamageError
from procwire.lake import chain, lake, readings, table
from procwire.lake.readings import Reading


def test_lake_of_a_store_has_digests_and_a_chain_too(
    tmp_path: Path, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (chain, lake, readings, table):
        monkeypatch.setattr(module, "is_remote", lambda _: True)
    monkeypatch.setattr(lake, "resolve", str)
    (tmp_path / "lake").mkdir()
    location = f"file://{tmp_path}/lake"
    made = lake.Lake.open(location, create=True)
    for number in range(3):
        made.append([batch_of({"record_id": number})], source="a", version=number)
    made.readings.add([Reading("log", "a", "a.evtx")])
    made.compact()
    opened = lake.Lake.open(location)
    assert sorted(row["record_id"] for batch in opened.batches() for row in batch.to_pylist()) == [0, 1, 2]
    assert [found.faults for _, found in lake.verify_tables(location)] == [[], []]
    heads = (tmp_path / "lake" / "_procwire").iterdir()
    assert sorted(head.name for head in heads) == ["connections.json", "readings.json"]
    path = tmp_path / "lake" / "connections" / opened.snapshot()[0].path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamageError, match=path.name):
        list(opened.batches())
