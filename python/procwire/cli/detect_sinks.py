"""Where matches go: rows for programs, and for people an overview with the latest of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Protocol

import pyarrow as pa

from procwire.cli.detect_overview import Overview
from procwire.cli.ways import columns_among
from procwire.errors import UsageError
from procwire.event import fields
from procwire.query import ExportableRows
from procwire.sigma import SCHEMA
from procwire.sinks.formats import format_named
from procwire.sinks.kinds import JSON_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from procwire.sinks import Terminal

__all__ = ["MatchSink", "columns_of", "open_matches"]

_CORRELATED = ("correlated_events", "correlated_value", "first_seen", "last_seen")
# What mostly has no value.
_SPARSE = frozenset((*_CORRELATED, *(field.name for field in fields("live", "provenance", "rules"))))
_ADDRESSES = tuple(field.name for field in fields("address"))
_TABLE_ROWS = 20


class MatchSink(Protocol):
    """Takes batches of `sigma.SCHEMA`."""

    @property
    def count(self) -> int:
        """Matches so far."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether more would change nothing."""
        ...

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, or keep it for the end."""
        ...

    def close(self) -> None:
        """Write what stands at the end."""
        ...


def columns_of(given: str | None, way: str) -> list[str]:
    """The columns that are asked for; without any all, of addresses in text formats not their bytes too.

    Raises UsageError for one that there is not.
    """
    if given is None:
        return [name for name in SCHEMA.names if format_named(way).binary or name not in _ADDRESSES]
    if way == "table":
        raise UsageError("found --columns with a table, expected another format: --to csv")
    return columns_among(given, SCHEMA.names)


def open_matches(
    way: str, stream: BinaryIO, names: Sequence[str], terminal: Terminal | None, limit: int | None
) -> MatchSink:
    """What writes matches in a format. limit: how many; 0 is all."""
    if way == "table":
        return Overview(stream, terminal, _TABLE_ROWS if limit is None else limit or None)
    return _Rows(way, stream, names, terminal, limit or None)


class _Rows:
    """A row for each match."""

    def __init__(
        self, way: str, stream: BinaryIO, names: Sequence[str], terminal: Terminal | None, limit: int | None
    ) -> None:
        self.count = 0
        self._limit = limit
        self._names = list(names)
        self._shaped = partial(ExportableRows, schema=pa.schema([SCHEMA.field(name) for name in names]), format=way)
        schema = self._shaped([]).schema
        found = format_named(way)
        options = {"sparse": _SPARSE, "json": JSON_COLUMNS} if found.objects else {}
        self._sink = found.open(stream, schema, terminal, **options)

    @property
    def is_full(self) -> bool:
        return self._limit is not None and self.count >= self._limit

    def write(self, batch: pa.RecordBatch) -> None:
        wanted = batch if self._limit is None else batch.slice(0, self._limit - self.count)
        for part in self._shaped([wanted.select(self._names)]):
            self._sink.write(part)
        self.count += wanted.num_rows

    def close(self) -> None:
        self._sink.close()
