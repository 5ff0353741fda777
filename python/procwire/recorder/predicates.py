"""`--where` of a recording: a predicate in SQL, batch in, batch out, both of `event.LIVE_SCHEMA`."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from procwire.engine import connect, quote, sql_errors
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, Names
from procwire.select import Selection, conjunction

__all__ = ["Predicate", "sql"]

Predicate = Callable[[pa.RecordBatch], pa.RecordBatch]


def sql(where: list[str], names: Names) -> Predicate:
    """Keep the rows for which all of these predicates hold, in DuckDB's SQL over the columns as `names` calls them.

    where: one at least.

    Raises UsageError for SQL that DuckDB refuses.
    """
    Selection(names=names, where=where, live=True)
    needed, query = _query(conjunction(where), names)
    connection = connect(threads=1)

    def keep(batch: pa.RecordBatch) -> pa.RecordBatch:
        connection.register("batch", pa.table(batch.select(needed)))
        with sql_errors():
            kept = connection.sql(query).to_arrow_reader().read_all().column(0)
        return batch.filter(kept.combine_chunks())

    return keep


def _query(where: str, names: Names) -> tuple[list[str], str]:
    """The stored columns that the predicate speaks of, and the query that says of each row whether to keep it.

    Of all columns it would take ten times as long, for a batch of a row or two.
    """
    derived = [field for field in DERIVED if _mentions(where, field.named(names))]
    stored = FIELDS + LIVE_FIELDS
    needed = [
        field
        for field in stored
        if _mentions(where, field.named(names)) or any(_mentions(other.sql, field.name) for other in derived)
    ] or [field for field in stored if field.name == "record_kind"]
    columns = [f"{quote(field.name)} AS {quote(field.named(names))}" for field in needed]
    columns += [f"{field.sql} AS {quote(field.named(names))}" for field in derived]
    keep = f"CASE WHEN {where} THEN true ELSE false END"
    return [field.name for field in needed], f"SELECT {keep} FROM (SELECT {', '.join(columns)} FROM batch)"


def _mentions(text: str, name: str) -> bool:
    """Whether a text may speak of a column: DuckDB's names know no case, and patterns (`COLUMNS(*)`) mean many."""
    return name.casefold() in text.casefold() or "*" in text or "columns" in text.casefold()
