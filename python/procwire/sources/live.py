"""Define a live source: it yields a machine's connections as they are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Hook", "LiveSource", "completed"]


class Hook(NamedTuple):
    """Name a place in the kernel that a sensor watches, or would watch."""

    name: str
    attached: bool
    reason: str | None
    """Why not, where it is not attached."""


class LiveSource(Protocol):
    """Yield events of the machine that it runs on."""

    name: str
    """`ebpf` or `poll`."""

    @property
    def hooks(self) -> Sequence[Hook]:
        """Return the places that it watches, or would watch."""
        ...

    @property
    def capabilities(self) -> Collection[int]:
        """Return the capabilities (their numbers) that `step` still needs, once the source is open."""
        ...

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        """Return a batch of `event.LIVE_SCHEMA`, after waiting at most `timeout_s`; None if there is none."""
        ...

    def losses(self) -> Mapping[str, int]:
        """Return the events lost since the start, by cause."""
        ...

    def unattributed(self) -> Mapping[str, int]:
        """Return the rows since the start whose process should be known but is not, by attribution."""
        ...

    def warnings(self) -> Mapping[str, int]:
        """Return how often each other condition worth reporting occurred; nothing is lost by them."""
        ...

    def close(self) -> None:
        """Detach."""
        ...


def completed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch in `event.LIVE_SCHEMA`; columns that it lacks are null."""
    import pyarrow as pa

    from procwire.event import LIVE_SCHEMA

    unknown = set(batch.schema.names) - set(LIVE_SCHEMA.names)
    if unknown:
        raise ValueError(f"found columns {sorted(unknown)}, expected those of event.LIVE_SCHEMA only")
    if batch.schema.equals(LIVE_SCHEMA):
        return batch
    places = {name: index for index, name in enumerate(batch.schema.names)}
    columns = [
        batch.column(places[field.name]).cast(field.type)
        if field.name in places
        else pa.nulls(batch.num_rows, field.type)
        for field in LIVE_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=LIVE_SCHEMA)
