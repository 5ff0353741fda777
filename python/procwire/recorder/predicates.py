"""Apply `--where` of a recording: a predicate in SQL, batch in, batch out, both of `event.LIVE_SCHEMA`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.engine import Limits, connect, quote, sql_errors
from procwire.errors import LimitError, UsageError
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS
from procwire.select import Selection, conjunction

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["Predicate", "Where"]

Predicate = Callable[[pa.RecordBatch], pa.RecordBatch]

# A batch takes a thousandth of it. A longer query blocks the recording, which then loses events.
_BATCH_S = 1.0
_MOST_TIMEOUTS = 3


class Where:
    """Keep the rows for which all predicates hold, in DuckDB's SQL over columns in the vocabulary `names`.

    A row that cannot be decided is kept and counted in `undecided`: no predicate ends a recording, or loses evidence.
    A predicate that exceeds its time repeatedly is no longer evaluated.

    where: at least one predicate. complain: called with the first failure, as text. Raises UsageError for SQL that
    cannot be used.
    """

    def __init__(self, where: list[str], names: Names, complain: Callable[[str], None] = lambda _: None) -> None:
        Selection(names=names, where=where, live=True)
        self.undecided = 0
        """Rows that were kept because the predicate could not be evaluated on them."""
        self.columns, self._sql = _query(conjunction(where), names)
        """The stored columns that the predicates refer to; at least one."""
        self._complain = complain
        self._timeouts = 0
        self._connection = connect(threads=1, limits=Limits(timeout_s=_BATCH_S), spills=False)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows to keep."""
        return batch.filter(self.mask(batch))

    def mask(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        """Return for each row whether to keep it; the batch needs no other columns than `columns`."""
        if self._timeouts >= _MOST_TIMEOUTS:
            return self._undecided(batch)
        try:
            kept = self._kept(batch)
        except LimitError as error:
            self._timeouts += 1
            return self._undecided(batch, error)
        except UsageError as error:
            if batch.num_rows == 1:
                return self._undecided(batch, error)
            # Evaluate row by row, so that the other rows are decided.
            return pa.concat_arrays([self.mask(batch.slice(row, 1)) for row in range(batch.num_rows)])
        self._timeouts = 0
        return kept

    def _kept(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        self._connection.register("batch", pa.table(batch.select(self.columns)))
        with sql_errors():
            kept = self._connection.sql(self._sql).to_arrow_reader().read_all().column(0)
        return kept.combine_chunks()

    def _undecided(self, batch: pa.RecordBatch, error: UsageError | None = None) -> pa.BooleanArray:
        if error is not None and not self.undecided:
            self._complain(f"cannot evaluate --where on every row, and keeps those: {error}")
        self.undecided += batch.num_rows
        return pa.repeat(pa.scalar(True), batch.num_rows)


def _query(where: str, names: Names) -> tuple[list[str], str]:
    """Return the columns that the predicate refers to, and the query that returns whether to keep each row.

    With all columns it would take ten times as long, for a batch of a row or two.
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
    """Return whether a text may refer to a column: DuckDB ignores case, and patterns (`COLUMNS(*)`) match many."""
    return name.casefold() in text.casefold() or "*" in text or "columns" in text.casefold()
