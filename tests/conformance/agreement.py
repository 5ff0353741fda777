"""Whether two engines gave the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from procwire.spark import SparkConnection

__all__ = ["Engines", "assert_same"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Engines:
    """Both, over the same lake."""

    duckdb: duckdb.DuckDBPyConnection
    spark: SparkConnection

    def agree(self, query: str, *, params: dict[str, object] | None = None, in_order: bool = False) -> pa.Table:
        """Ask both, and hold their answers to each other; the answer. in_order: the query says which row is first."""
        expected = self.duckdb.sql(query, params=params).to_arrow_table()
        found = self.spark.sql(query, params=params).to_arrow_reader().read_all()
        assert_same(expected, found, in_order=in_order)
        return expected


def assert_same(expected: pa.Table, found: pa.Table, *, in_order: bool = True) -> None:
    """The same columns, and the same rows; floats to 1e-9."""
    assert found.schema.names == expected.schema.names
    left, right = _rows(expected, in_order), _rows(found, in_order)
    different = [pair for pair in zip(left, right, strict=False) if not _same_row(*pair)]
    reported = "\n".join(
        str({name: (a[name], b[name]) for name in a if not _same(a[name], b[name])}) for a, b in different[:3]
    )
    assert not different, f"{len(different)} of {len(left)} rows differ, (DuckDB's, Spark's):\n{reported}"
    assert len(right) == len(left)


def _rows(table: pa.Table, in_order: bool) -> Sequence[Row]:
    rows: list[Row] = table.to_pylist()
    return rows if in_order else sorted(rows, key=lambda row: repr(_rounded(row)))


def _rounded(row: Row) -> list[object]:
    """For sorting alone: what differs by a hair must not part rows."""
    return [float(f"{value:.6g}") if isinstance(value, float | Decimal) else value for value in row.values()]


def _same_row(left: Row, right: Row) -> bool:
    return all(_same(left[name], right[name]) for name in left)


def _same(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, float | int | Decimal) and isinstance(right, float | int | Decimal):
        a, b = float(left), float(right)
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(a) and math.isnan(b))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right
