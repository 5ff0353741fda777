"""Selections: which rows and columns of batches to keep, and the names of the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine.text import quote
from procwire.errors import UsageError
from procwire.event import CONNECTION, LIVE_FIELDS, LOGGED, Event, Field, Group, field
from procwire.period import check_period, utc
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from procwire.choices import Names

__all__ = ["LIVE_GROUPS", "STORED_GROUPS", "TEXT_GROUPS", "Selection", "conjunction", "selection_for", "within_period"]

STORED_GROUPS: tuple[Group, ...] = ("event", "system", "provenance", "address")
"""Groups of columns in the complete table."""
TEXT_GROUPS: tuple[Group, ...] = ("event", "system", "provenance")
"""Groups of columns in text output."""
LIVE_GROUPS: tuple[Group, ...] = ("event", "system", "live")
"""Groups of columns in text output of a recording, which has no source file."""


class Selection:
    """Hold a period, a predicate, an order, a limit, and the columns to keep; `apply` selects from batches.

    `columns`, `where` and `sort` use the vocabulary of `names`. `where` is a predicate or several, which must all hold.
    Columns may be derived ones (`event.DERIVED`); without `columns`, those of `groups` are kept. `live`: the batches
    are a recording's (of `event.LIVE_SCHEMA`), whose additional columns are unknown otherwise. `marked`: a log's
    batches have the column `logged`. `event` is the event of the batches. Not safe for use by several threads.

    `since` and `until` bound the times of events: from then on, and before then; without a zone in UTC.

    Raises UsageError for a column that does not exist, a period that is empty and for SQL that DuckDB rejects.
    """

    def __init__(
        self,
        *,
        names: Names = "ossem",
        columns: Sequence[str] | None = None,
        where: str | Sequence[str] | None = None,
        sort: Sequence[str] | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        groups: Sequence[Group] = TEXT_GROUPS,
        event: Event = CONNECTION,
        live: bool = False,
        marked: bool = False,
    ) -> None:
        if limit is not None and limit < 0:
            raise UsageError(f"found limit {limit}, expected 0 or more")
        check_period(since, until)
        self._period = since, until
        self._names = names
        self._live = live
        marks = (LOGGED,) if marked else ()
        self._stored = event.fields + (LIVE_FIELDS if live else marks)
        self._derived = event.derived
        self._input_schema = pa.schema([pa.field(f.name, f.type) for f in self._stored])
        known = self._stored + self._derived
        self._where = [where] if isinstance(where, str) else list(where or ())
        self._order = [_order(key, names, known) for key in sort or ()]
        self._limit = limit
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.fields: tuple[Field, ...] = (
            tuple(kept for kept in known if kept.group in groups or kept in marks)
            if columns is None
            else tuple(field(name, names, known) for name in columns)
        )
        if len(set(self.fields)) < len(self.fields):
            raise UsageError("found a column twice, expected each once")
        self.schema = pa.schema([pa.field(kept.named(names), kept.type) for kept in self.fields])
        self._needs_sql = bool(self._where) or any(kept.group == "derived" for kept in self.fields)
        if self._needs_sql or self._order:
            self._check()

    def apply(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the selected rows of `batches`, as batches of `schema`.

        With an order, all rows are read before the first batch; otherwise it streams.
        """
        if self._limit == 0:
            return
        left = self._limit
        batches = within_period(batches, *self._period)
        for batch in self._sorted(batches) if self._order else map(self._one, batches):
            part = batch if left is None else batch.slice(0, left)
            if part.num_rows:
                yield part
            if left is not None:
                left -= part.num_rows
                if left == 0:
                    return

    def _check(self) -> None:
        from procwire.engine import one_predicate, sql_errors

        # With zero rows DuckDB would not evaluate a constant.
        nulls = pa.table([pa.nulls(1, stored.type) for stored in self._stored], schema=self._input_schema)
        # Check each by itself: an error names its predicate, and each must be valid alone.
        for alone in [[predicate] for predicate in self._where] or [[]]:
            with _named(alone if len(self._where) > 1 else []), sql_errors():
                self._query(nulls, [one_predicate(predicate) for predicate in alone]).read_all()

    def _one(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._needs_sql:
            if self.schema.equals(batch.schema):
                return batch
            return pa.record_batch([batch[kept.name] for kept in self.fields], schema=self.schema)
        from procwire.engine import sql_errors

        with sql_errors():
            rows = self._query(pa.table(batch), self._where).read_all().cast(self.schema).combine_chunks().to_batches()
        return rows[0] if rows else pa.RecordBatch.from_pylist([], schema=self.schema)

    def _sorted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from procwire.engine import sql_errors

        with sql_errors():
            rows = pa.RecordBatchReader.from_batches(self._input_schema, iter(batches))
            for batch in self._query(rows, self._where):
                yield batch.cast(self.schema)

    def _query(self, rows: pa.Table | pa.RecordBatchReader, where: list[str]) -> pa.RecordBatchReader:
        if self._connection is None:
            from procwire.engine import PREDICATE_S, Limits, connect

            # One thread: a recording's batches are small, and threads started with privileges would keep them. A sort
            # has no time limit: it waits for all rows.
            self._connection = connect(
                threads=1 if self._live else None,
                limits=Limits(timeout_s=None if self._order else PREDICATE_S),
                spills=bool(self._order),
            )
        self._connection.register("batch", rows)
        return self._connection.sql(self._sql(where)).to_arrow_reader()

    def _sql(self, where: list[str]) -> str:
        """Return the query over `batch`; it renames the columns first, so that the rest uses one vocabulary."""
        named = [f"{quote(stored.name)} AS {quote(stored.named(self._names))}" for stored in self._stored]
        named += [f"{derived.sql} AS {quote(derived.named(self._names))}" for derived in self._derived]
        kept = ", ".join(quote(name) for name in self.schema.names)
        query = f"SELECT {kept} FROM (SELECT {', '.join(named)} FROM batch)"
        if where:
            query += f" WHERE {conjunction(where)}"
        if self._order:
            query += f" ORDER BY {', '.join(self._order)}"
        return query


def within_period(
    batches: Iterable[pa.RecordBatch], since: datetime | None, until: datetime | None
) -> Iterable[pa.RecordBatch]:
    """Return batches of an event's rows from `since` on and before `until`; rows without any time are in no period."""
    if since is None and until is None:
        return batches
    return (batch.filter(_is_within(batch, since, until)) for batch in batches)


def _is_within(batch: pa.RecordBatch, since: datetime | None, until: datetime | None) -> pa.Array:
    import pyarrow.compute as pc

    times = pc.coalesce(batch["event_creation_time"], batch["event_recorded_time"])
    bounds = [compare(times, pa.scalar(utc(time), times.type))
              for compare, time in ((pc.greater_equal, since), (pc.less, until)) if time is not None]  # fmt: skip
    return pc.and_(bounds[0], bounds[-1])


def selection_for(
    format: str,
    *,
    names: Names = "ossem",
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    event: Event = CONNECTION,
    stored: bool = False,
    configured: bool = False,
    marked: bool = False,
) -> Selection:
    """Return the selection for an output format; without `columns`, the columns that the format shows.

    format: a name in `sinks.formats`. stored: the rows are a lake's, which include those of recordings. configured: a
    configuration sets the rule names. marked: rows that it does not log are included, and marked.

    Raises UsageError if columns are chosen, or rows are marked, and the format holds complete events; otherwise as
    Selection does.
    """
    chosen = columns is not None or names != "ossem"
    live = stored and event == CONNECTION
    groups: Sequence[Group] = (*LIVE_GROUPS, "provenance") if stored else TEXT_GROUPS
    if format_named(format).whole_events:
        if chosen:
            raise UsageError(f"found --names or --columns, expected neither with {format}, which holds whole events")
        if marked:
            raise UsageError(f"found --keep, expected another format than {format}, which has no place for the mark")
        groups = STORED_GROUPS
    elif format == "table" and not chosen:
        from procwire.sinks import AT_A_GLANCE, RECORDING_COLUMNS

        shown = RECORDING_COLUMNS if live else AT_A_GLANCE[event.table]
        columns = (*shown, *(("rule_name",) if configured else ()), *(("logged",) if marked else ()))
    return Selection(
        names=names,
        columns=columns,
        where=where,
        sort=sort,
        limit=limit,
        since=since,
        until=until,
        groups=groups,
        event=event,
        live=live,
        marked=marked,
    )


def conjunction(predicates: list[str]) -> str:
    """Return SQL that holds where all predicates hold; there must be at least one, and each must be valid by itself."""
    # Put each on its own lines: a comment at its end must not extend to the next.
    return " AND ".join(f"(\n{predicate}\n)" for predicate in predicates)


@contextmanager
def _named(predicates: list[str]) -> Iterator[None]:
    """Prefix a UsageError with the predicate that caused it; without predicates, leave it unchanged."""
    try:
        yield
    except UsageError as error:
        raise UsageError("".join(f"in {predicate!r}: " for predicate in predicates) + str(error)) from error


def _order(key: str, names: Names, known: Sequence[Field]) -> str:
    column = field(key.removeprefix("-"), names, known).named(names)
    return f"{quote(column)} {'DESC' if key.startswith('-') else 'ASC'} NULLS LAST"
