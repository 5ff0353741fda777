"""Access columns of a live batch by name, and lay out answers to their distinct values as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from procwire.event import LIVE_SCHEMA

__all__ = ["Distinct", "column", "replaced"]

_INDEX = {name: index for index, name in enumerate(LIVE_SCHEMA.names)}
_FIELDS = dict(zip(LIVE_SCHEMA.names, LIVE_SCHEMA, strict=True))
# Up to this many rows, querying row by row is faster than finding the distinct values.
_FEW_ROWS = 16


def column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column, faster than pyarrow's access by name."""
    return batch.column(_INDEX[name])


def replaced(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """Return the batch with another column `name`."""
    return batch.set_column(_INDEX[name], _FIELDS[name], values)


class Distinct:
    """Hold the values of a column, each once if there are many rows; null may be among them."""

    def __init__(self, values: pa.Array) -> None:
        self._indices: pa.Array | None = None
        if len(values) > _FEW_ROWS:
            encoded = values.dictionary_encode()
            values, self._indices = encoded.dictionary, encoded.indices
        self.values: list[object] = values.to_pylist()

    def first_rows(self, others: pa.Array) -> Callable[[int], object]:
        """Return what another column has in the first row of each of `values`, by its index."""
        rows: dict[int, object] = {}

        def first(index: int) -> object:
            if not rows:
                indices = range(len(others)) if self._indices is None else self._indices.to_pylist()
                rows.update(zip(reversed(indices), reversed(others.to_pylist()), strict=True))
            return rows[index]

        return first

    def spread(self, answers: Sequence[object], kind: pa.DataType) -> pa.Array:
        """Return an answer for each row, from one for each of `values` in order; null where the row has no value."""
        array = pa.array(answers, kind)
        return array if self._indices is None else array.take(self._indices)
