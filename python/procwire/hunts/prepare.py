"""Preparation of a hunt: checks its parameters, and adjusts the source that it queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from procwire.errors import UsageError
from procwire.paths import base_names

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.hunts.hunt import Hunt
    from procwire.query import QuerySource
    from procwire.query.protocol import Connection

__all__ = ["PreparedHunt", "in_columns", "prepare", "with_base_names"]


@dataclass(frozen=True, slots=True)
class PreparedHunt:
    """Hold a hunt that is ready: the caller opens `source`, and passes its connection to `run`."""

    hunt: Hunt
    source: QuerySource
    parameters: Mapping[str, object]

    def run(self, connection: Connection) -> pa.RecordBatchReader:
        """Return the hunt's findings, of `hunt.schema`. Raises as `Hunt.run` does."""
        return self.hunt.run(connection, **self.parameters)


def prepare(
    hunt: Hunt,
    source: QuerySource,
    parameters: Mapping[str, object],
    *,
    names: Mapping[str, str] = MappingProxyType({}),
) -> PreparedHunt:
    """Check a hunt's source and parameters, before anything is read.

    A hunt with a parameter `since` needs the past to determine what is new: it gets the source's `since` as this
    parameter, and its source starts earlier. names: the user's names of the source's attributes, and of `parameter`.

    Raises UsageError for a source that contradicts itself, and for parameters that `hunt` does not take.
    """
    source.check(names)
    given = dict(parameters)
    if any(parameter.name == "since" for parameter in hunt.parameters):
        if source.since is not None:
            if "since" in given:
                since, parameter = (names.get(name, name) for name in ("since", "parameter"))
                raise UsageError(f"found {since} and {parameter} since={given['since']}, expected one of them")
            given["since"] = source.since.isoformat()
        source = replace(source, since=None)
    hunt.values(given)
    return PreparedHunt(hunt, source, given)


def in_columns(batches: Iterable[pa.RecordBatch], columns: Sequence[str], *, short: bool) -> Iterator[pa.RecordBatch]:
    """Yield batches with these columns only. short: cut `process_name` to the file's name, as tables show it."""
    for batch in batches:
        yield (with_base_names(batch) if short else batch).select(columns)


def with_base_names(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with `process_name`, if present, reduced to the file's name: paths are too wide for tables."""
    index = batch.schema.get_field_index("process_name")
    if index < 0:
        return batch
    return batch.set_column(index, "process_name", base_names(batch.column(index)))
