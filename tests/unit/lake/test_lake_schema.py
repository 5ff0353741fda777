"""Rows as the lake's tables have them."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from procwire.lake.schema import CONNECTIONS, SCHEMA, parquet

_DICTIONARY = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@st.composite
def _coded(draw: st.DrawFn) -> pa.DictionaryArray:
    """Cells of a dictionary in which a value may stand twice."""
    values = draw(_DICTIONARY)
    cells = draw(st.lists(st.none() | st.integers(0, len(values) - 1), max_size=5))
    return pa.DictionaryArray.from_arrays(pa.array(cells, pa.int32()), pa.array(values))


@settings(deadline=None)
@given(st.lists(_coded(), min_size=1, max_size=4))
def test_widened_texts_are_the_same_and_parquet_writes_them_so(chunks: list[pa.DictionaryArray]) -> None:
    texts = [text for chunk in chunks for text in chunk.to_pylist()]
    rows = CONNECTIONS.widened(pa.table({"process_name": pa.chunked_array(chunks)}))
    assert rows["process_name"].to_pylist() == texts
    [dictionary] = {tuple(chunk.dictionary.to_pylist()) for chunk in rows["process_name"].chunks} or {()}
    assert len(set(dictionary)) == len(dictionary)
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, rows.schema, **parquet(rows.schema, level=1, is_sorted=False)) as writer:
        writer.write_table(rows)
    back = pq.read_table(stream)
    assert back.schema == SCHEMA
    assert back["process_name"].to_pylist() == texts
    assert back["record_kind"].to_pylist() == ["connection"] * len(texts)
