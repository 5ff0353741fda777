"""Sorting of a day's rows for compacted files, so that similar values lie together.

It sorts a few machines at a time, with texts as dictionary codes: a day of any size takes about a hundred MB for each
million rows of a single machine, and about 500 MB at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from procwire.lake.schema import Layout
from procwire.lake.table import DataFile, Table
from procwire.lake.verified import damage

__all__ = ["sorted_rows"]

_MACHINE = "computer_name"
_SLICE_ROWS = 1 << 20


def sorted_rows(table: Table, old: Sequence[DataFile]) -> Iterator[pa.Table]:
    """Yield all rows of the files, sorted, in parts of the layout's `sorted_schema`."""
    slices = _slices(table, old)
    for machines in slices:
        yield _sorted(_read(table, old, None if len(slices) == 1 else machines), table.layout)


def _slices(table: Table, old: Sequence[DataFile]) -> list[list[str | None]]:
    """Return the machines, in order, in slices of limited numbers of rows; null, for rows without a name, is last."""
    if not table.layout.by_day or sum(file.rows for file in old) <= _SLICE_ROWS:
        return [[]]
    rows: Counter[str | None] = Counter()
    for file in old:
        with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
            names = pq.read_table(stream, columns=[_MACHINE])[_MACHINE]
        rows.update({entry["values"]: entry["counts"] for entry in pc.value_counts(names).to_pylist()})
    slices: list[list[str | None]] = []
    size = _SLICE_ROWS
    for name in sorted(rows, key=lambda name: (name is None, name)):
        if size + rows[name] > _SLICE_ROWS:
            slices.append([])
            size = 0
        slices[-1].append(name)
        size += rows[name]
    return slices


def _read(table: Table, old: Sequence[DataFile], machines: Sequence[str | None] | None) -> pa.Table:
    kept = None
    if machines is not None:
        kept = pc.field(_MACHINE).isin(pa.array([name for name in machines if name is not None], pa.string()))
        kept = kept | pc.field(_MACHINE).is_null() if None in machines else kept
    schema = table.layout.sorted_schema
    encoded = [name for name in table.layout.texts if name != _MACHINE]
    nulls: dict[pa.DataType, pa.Array] = {}
    parts = []
    for file in old:
        with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
            rows = pq.read_table(stream, filters=kept, read_dictionary=encoded)
        # A file of an older layout lacks columns.
        parts.append(_sharing(nulls, table.layout.widened(rows).cast(schema)))
    return pa.concat_tables(parts)


def _sharing(nulls: dict[pa.DataType, pa.Array], rows: pa.Table) -> pa.Table:
    """Return the rows, with one shared array per type for all-null columns, which are a third of all."""
    columns = []
    for column in rows.columns:
        if column.null_count == rows.num_rows:
            if len(nulls.get(column.type, ())) < rows.num_rows:
                nulls[column.type] = pa.nulls(rows.num_rows, column.type)
            column = nulls[column.type].slice(0, rows.num_rows) if rows.num_rows else column
        columns.append(column)
    return pa.table(columns, schema=rows.schema)


def _sorted(rows: pa.Table, layout: Layout) -> pa.Table:
    """Sort column by column, and free each once it is sorted: so the rows are in memory once, not twice."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    schema = rows.schema
    del rows
    for name in layout.sort:
        columns[name] = _in_one_piece(columns[name])
    keys = [_rank(columns[name]) if name in layout.texts else columns[name] for name in layout.sort]
    order = pc.sort_indices(pa.table(keys, layout.sort), sort_keys=[(name, "ascending") for name in layout.sort])
    for name in schema.names:
        columns[name] = _taken(columns[name], order)
    return pa.table(columns, schema=schema)


def _taken(column: pa.ChunkedArray | pa.Array, order: pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return a column in the given order; without a copy if all values are equal or null, as in half of the columns."""
    if column.null_count == len(column):
        return column
    column = _in_one_piece(column)
    is_same = pa.types.is_dictionary(column.type) and len(column.dictionary) == 1 and not column.null_count
    return column if is_same else column.take(order)


def _in_one_piece(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _rank(column: pa.DictionaryArray) -> pa.Array:
    """Return numbers that sort as the texts do."""
    ranks = pc.rank(column.dictionary) if len(column.dictionary) else pa.array([], pa.uint64())
    return ranks.take(column.indices)
