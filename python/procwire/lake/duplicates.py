"""Detection of events that the lake already has and that another log repeats.

Two rows are the same event if they have the same computer, channel and record id, and at least one time in common, and
every time that both have is equal. Some formats have times in milliseconds only, so two times are also equal if one is
the other truncated to milliseconds. A record id alone is not enough: a cleared log counts from 1 again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from procwire.engine import connect
from procwire.lake.schema import KEY, TIMES, days
from procwire.lake.table import DataFile, Table
from procwire.lake.verified import damage

__all__ = ["without_duplicates"]

_ROW = "row"
# With more names than this, a filter on them costs more than it saves.
_MAX_NAMES = 64
_MICROSECONDS = pa.timestamp("us", tz="UTC")
# A truncated time differs from the exact one by less than this; and Delta stores bounds of times in milliseconds.
_SLACK = timedelta(milliseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC) + _SLACK, datetime.max.replace(tzinfo=UTC) - _SLACK
# Suffix of truncated times: the new row's and the old row's times are compared exact or truncated.
_CUT = "_ms"
_FORMS = (("", ""), ("", _CUT), (_CUT, ""))


def without_duplicates(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows whose events are not in the table's snapshot, each once: the first of several that are equal.

    Events without a record id, or without any time, cannot be distinguished and are all kept. Only files whose days,
    record ids, times and machines overlap with those of the rows are read, and of these only the key columns.
    """
    keys = rows.select(list(KEY)).append_column(_ROW, pa.arange(0, rows.num_rows))
    known = keys
    if keys["record_id"].null_count or any(keys[name].null_count for name in TIMES):
        has_time = pc.or_(*(pc.is_valid(keys[name]) for name in TIMES))
        known = keys.filter(pc.and_(pc.is_valid(keys["record_id"]), has_time))
    if not known.num_rows:
        return rows
    found: list[int] = []
    for file in _overlapping(table.snapshot(), known):
        found += _also_in(table, file, known)
    # Remove these first: a row that is left out must not leave out another.
    found += _repeated(known.filter(pc.invert(pc.is_in(known[_ROW], pa.array(found, pa.int64())))) if found else known)
    if not found:
        return rows
    return rows.filter(pc.invert(pc.is_in(keys[_ROW], pa.array(found, pa.int64()))))


def _repeated(known: pa.Table) -> list[int]:
    """Return the numbers of rows that repeat the event of an earlier row, which is itself not a repetition."""
    # In nearly all logs the ids count up, which is quick to check.
    ids = known["record_id"].combine_chunks()
    if len(ids) < 2 or pc.all(pc.greater(ids[1:], ids[:-1])).as_py():
        return []
    counts = pc.value_counts(ids)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if not len(often):
        return []
    alike = _decoded(known.filter(pc.is_in(ids, often)))
    firsts = alike.group_by(list(KEY)).aggregate([(_ROW, "min")])[f"{_ROW}_min"]
    is_first = pc.is_in(alike[_ROW], firsts)
    repeated: list[int] = alike[_ROW].filter(pc.invert(is_first)).to_pylist()
    return repeated + _also_before(alike.filter(is_first))


def _also_before(rows: pa.Table) -> list[int]:
    """Return the numbers of rows that repeat an earlier row, compared one by one.

    Equality is not transitive: 0.1235 s and 0.1239 s both equal 0.123 s, but not each other. So rows are checked one
    after the other, in linear time, however many have the same record id.
    """
    who = ", ".join(name for name in KEY if name not in TIMES)
    near = (f"count(*) OVER (PARTITION BY {who}, {time}{_CUT}) > 1" for time in TIMES)
    times = ", ".join(f"epoch_us({time})" for time in TIMES)
    found: list[int] = []
    seen = set[tuple[Any, ...]]()
    for row, *event, created, recorded in _query(
        f"SELECT {_ROW}, {who}, {times} FROM new QUALIFY {' OR '.join(near)} ORDER BY {_ROW}", rows, rows
    ):
        if any((*event, *asked) in seen for asked in product(_asked(created), _asked(recorded))):
            found.append(row)
        else:
            shown = product(_shown(created), _shown(recorded))
            # Without a time in common, nothing is known.
            seen.update((*event, *both) for both in shown if not _NO_TIME.issuperset(both))
    return found


_Mark = int | str | tuple[int]
_LACKING, _ANY = "lacking", "any"
_NO_TIME = frozenset((_LACKING, _ANY))


def _shown(time: int | None) -> tuple[_Mark, ...]:
    """Return the marks by which one of a row's times is found: exact, truncated (in a tuple), present or missing."""
    if time is None:
        return _LACKING, _ANY
    cut = time - time % 1_000
    return (time, _ANY) if time == cut else (time, (cut,), _ANY)


def _asked(time: int | None) -> tuple[_Mark, ...]:
    """Return the marks to look up for a time, to find the rows whose time is equal."""
    if time is None:
        return (_ANY,)
    cut = time - time % 1_000
    return time, ((cut,) if time == cut else cut), _LACKING


def _also_in(table: Table, file: DataFile, known: pa.Table) -> list[int]:
    with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
        old = pq.read_table(stream, columns=list(KEY), filters=_filters(known))
    if not old.num_rows:
        return []
    return [row for (row,) in _query(_matches(known, old), known, old)]


def _matches(new: pa.Table, old: pa.Table) -> str:
    """Return SQL that selects the new rows with the same event as an old row; a row may appear twice.

    Each part compares only for equality, so that DuckDB uses a hash join, however many rows have the same record id.
    """
    same = [f"new.{name} IS NOT DISTINCT FROM old.{name}" for name in KEY if name not in TIMES]
    parts = []
    for ways in product(*(_ways(time, new, old) for time in TIMES)):
        # Without a time in common, nothing is known.
        if any(equal for equal, *_ in ways):
            on = " AND ".join(same + [equal for equal, *_ in ways if equal])
            of_new, of_old = (" AND ".join(filter(None, of)) or "true" for of in list(zip(*ways, strict=True))[1:])
            parts.append(
                f"SELECT new.{_ROW} FROM (FROM new WHERE {of_new}) new SEMI JOIN (FROM old WHERE {of_old}) old ON {on}"
            )
    return " UNION ALL ".join(parts)


def _ways(time: str, new: pa.Table, old: pa.Table) -> Iterator[tuple[str, str, str]]:
    """Yield how a time of two rows can be equal, or need not be compared: SQL for equality, new rows and old rows."""
    for new_cut, old_cut in _FORMS:
        # The filters follow from the comparison; but few rows pass them in most logs, which keeps the join small.
        yield f"new.{time}{new_cut} = old.{time}{old_cut}", _fit(time, old_cut, new_cut), _fit(time, new_cut, old_cut)
    if new[time].null_count:
        yield "", f"{time} IS NULL", ""
    if old[time].null_count:
        yield "", "", f"{time} IS NULL"


def _fit(time: str, other_cut: str, cut: str) -> str:
    """Return SQL for whether a time can equal the other's truncated one, or is finer than what is compared."""
    return f"{time} = {time}{other_cut}" if other_cut else f"{time} <> {time}{cut}" if cut else ""


def _overlapping(snapshot: Iterable[DataFile], known: pa.Table) -> Iterator[DataFile]:
    texts = {name: _bounds(known, name) for name in ("record_id", "computer_name")}
    if _different(known["computer_name"]).null_count:
        # A row without a computer name matches only such rows, about which bounds say nothing.
        texts["computer_name"] = None
    times = {name: _bounds(known, name) for name in TIMES}
    row_days = _days(known)
    for file in snapshot:
        if row_days is not None and file.day not in row_days:
            continue
        if all(_overlap(file.bounds.get(name), own) for name, own in texts.items()) and any(
            own is not None and _overlap(file.bounds.get(name), own) for name, own in times.items()
        ):
            yield file


def _days(known: pa.Table) -> set[Any] | None:
    """Return the days under which rows of the same events may be stored, by either of their times; None for any."""
    if known[TIMES[0]].null_count:
        # The day is that of the creation time, which only the other row may have.
        return None
    filed = set(pc.unique(days(known)).to_pylist())
    recorded = known.select([TIMES[1], TIMES[1]]).rename_columns(list(TIMES))
    return filed | set(pc.unique(days(recorded)).to_pylist())


def _overlap(theirs: tuple[Any, Any] | None, own: tuple[Any, Any] | None) -> bool:
    # Without bounds, all values are null, or nothing is known.
    return theirs is None or own is None or (theirs[0] <= own[1] and own[0] <= theirs[1])


def _bounds(known: pa.Table, name: str) -> tuple[Any, Any] | None:
    """Return the least and greatest value that a row of the same event may have; None if all are null."""
    low, high = (bound.as_py() for bound in pc.min_max(_different(known[name])).values())
    if low is None:
        return None
    return (max(low, _FIRST) - _SLACK, min(high, _LAST) + _SLACK) if name in TIMES else (low, high)


def _filters(known: pa.Table) -> pc.Expression:
    low, high = pc.min_max(known["record_id"]).values()
    kept = (pc.field("record_id") >= low) & (pc.field("record_id") <= high)
    near = pc.scalar(False)
    for name in TIMES:
        if bounds := _bounds(known, name):
            low, high = (pa.scalar(bound, _MICROSECONDS) for bound in bounds)
            near |= (pc.field(name) >= low) & (pc.field(name) <= high)
    kept &= near
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
    """Return texts without repetitions; numbers and times as they are."""
    if pa.types.is_dictionary(values.type):
        return values.unique().dictionary_decode()
    return values.unique() if pa.types.is_string(values.type) else values


def _query(sql: str, new: pa.Table, old: pa.Table) -> list[tuple[Any, ...]]:
    """Return the rows of a query over the two tables, which also have their times truncated."""
    connection = connect()
    for name, rows in (("new", new), ("old", old)):
        connection.register(f"{name}_rows", _without_zones(rows))
        cut = ", ".join(f"date_trunc('millisecond', {time}) AS {time}{_CUT}" for time in TIMES)
        connection.execute(f"CREATE VIEW {name} AS SELECT *, {cut} FROM {name}_rows")
    return connection.sql(sql).fetchall()


def _without_zones(rows: pa.Table) -> pa.Table:
    """Return the rows with times in UTC but without a zone: DuckDB truncates these without a calendar."""
    for name in TIMES:
        times = rows[name].cast(pa.timestamp("us"))
        rows = rows.set_column(rows.schema.get_field_index(name), name, times)
    return rows
