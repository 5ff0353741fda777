"""Events that the lake already has, met again in another log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from procwire.engine import connect
from procwire.lake.schema import KEY, days
from procwire.lake.table import DataFile, Table
from procwire.lake.verified import damage

__all__ = ["without_duplicates"]

_ROW = "row"
# More names than these, and a filter on them costs more than it saves.
_MAX_NAMES = 64
# Delta keeps bounds of times in milliseconds.
_SLACK = timedelta(milliseconds=1)
_TEXT_EQUAL = " AND ".join(f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in KEY[:3])
_MATCH = f"new.record_id = old.record_id AND new.event_recorded_time = old.event_recorded_time AND {_TEXT_EQUAL}"


def without_duplicates(table: Table, rows: pa.Table) -> pa.Table:
    """The rows whose events are not in the table's snapshot, each once.

    Events without a record id or a time of recording cannot be told apart by them, and are all kept. Only files whose
    days, record ids, times and machines overlap with those of the rows are looked at, and in these only the key.
    """
    keys = rows.select(list(KEY)).append_column(_ROW, pa.arange(0, rows.num_rows))
    known = keys
    if keys["record_id"].null_count or keys["event_recorded_time"].null_count:
        known = keys.filter(pc.and_(pc.is_valid(keys["record_id"]), pc.is_valid(keys["event_recorded_time"])))
    if not known.num_rows:
        return rows
    found = _repeated(known)
    row_days = set(pc.unique(days(rows)).to_pylist())
    for file in _overlapping(table.snapshot(), known, row_days):
        found += _also_in(table, file, known)
    if not found:
        return rows
    return rows.filter(pc.invert(pc.is_in(keys[_ROW], pa.array(found, pa.int64()))))


def _repeated(known: pa.Table) -> list[int]:
    """Rows whose event came before among them."""
    # Nearly all logs count up: a glance tells it.
    ids = known["record_id"].combine_chunks()
    if len(ids) < 2 or pc.all(pc.greater(ids[1:], ids[:-1])).as_py():
        return []
    counts = pc.value_counts(ids)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(often):
        return []
    alike = _decoded(known.filter(pc.is_in(ids, often)))
    firsts = alike.group_by(list(KEY)).aggregate([(_ROW, "min")])[f"{_ROW}_min"]
    repeated: list[int] = alike[_ROW].filter(pc.invert(pc.is_in(alike[_ROW], firsts))).to_pylist()
    return repeated


def _also_in(table: Table, file: DataFile, known: pa.Table) -> list[int]:
    with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
        old = pq.read_table(stream, columns=list(KEY), filters=_filters(known))
    if not old.num_rows:
        return []
    return _query(f"SELECT {_ROW} FROM known AS new SEMI JOIN old ON {_MATCH}", known=known, old=old)


def _overlapping(snapshot: Iterable[DataFile], known: pa.Table, row_days: set[Any]) -> Iterator[DataFile]:
    bounds = {name: _bounds(known, name) for name in ("record_id", "event_recorded_time", "computer_name")}
    for file in snapshot:
        if file.day in row_days and all(_overlap(file.bounds.get(name), own) for name, own in bounds.items()):
            yield file


def _overlap(theirs: tuple[Any, Any] | None, own: tuple[Any, Any]) -> bool:
    # Without bounds: all of their values are null, or nothing is known.
    return theirs is None or own[0] is None or (theirs[0] <= own[1] and own[0] <= theirs[1])


def _bounds(known: pa.Table, name: str) -> tuple[Any, Any]:
    low, high = pc.min_max(_different(known[name])).values()
    if name == "event_recorded_time":
        return low.as_py() - _SLACK, high.as_py() + _SLACK
    return low.as_py(), high.as_py()


def _filters(known: pa.Table) -> pc.Expression:
    low, high = pc.min_max(known["record_id"]).values()
    kept = (pc.field("record_id") >= low) & (pc.field("record_id") <= high)
    low, high = pc.min_max(known["event_recorded_time"]).values()
    kept &= (pc.field("event_recorded_time") >= low) & (pc.field("event_recorded_time") <= high)
    names = _different(known["computer_name"])
    if len(names) <= _MAX_NAMES and not names.null_count:
        kept &= pc.field("computer_name").isin(names)
    return kept


def _decoded(rows: pa.Table) -> pa.Table:
    coded = [column for column in rows.schema if pa.types.is_dictionary(column.type)]
    for column in coded:
        place = rows.schema.get_field_index(column.name)
        rows = rows.set_column(place, column.name, rows[place].cast(column.type.value_type))
    return rows


def _different(values: pa.ChunkedArray) -> pa.Array:
    """Texts each once; of numbers and times, all."""
    if pa.types.is_dictionary(values.type):
        return values.unique().dictionary_decode()
    return values.unique() if pa.types.is_string(values.type) else values


def _query(sql: str, **tables: pa.Table) -> list[int]:
    connection = connect()
    for name, rows in tables.items():
        connection.register(name, rows)
    return [row for (row,) in connection.sql(sql).fetchall()]
