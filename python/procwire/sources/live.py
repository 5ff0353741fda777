"""What a live source is: it yields a machine's connections as they are made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Hook", "LiveSource", "completed"]


class Hook(NamedTuple):
    """A place in the kernel that a sensor watches, or would."""

    name: str
    attached: bool
    reason: str | None
    """Why not, where it is not attached."""


class LiveSource(Protocol):
    """Yields events of the machine that it runs on."""

    name: str
    """`ebpf` or `poll`."""

    @property
    def hooks(self) -> Sequence[Hook]:
        """The places it watches, or would."""
        ...

    @property
    def capabilities(self) -> Collection[int]:
        """Capabilities (their numbers) that `step` still needs, once the source is open."""
        ...

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        """A batch of `event.LIVE_SCHEMA`, waiting for one at most `timeout_s`; None where none came."""
        ...

    def losses(self) -> Mapping[str, int]:
        """Cause to events lost since the start."""
        ...

    def unattributed(self) -> Mapping[str, int]:
        """Attribution to rows since the start that lack their process, though it should be known."""
        ...

    def warnings(self) -> Mapping[str, int]:
        """What else is worth knowing, and how often it was met: nothing is lost by it."""
        ...

    def close(self) -> None:
        """Detach."""
        ...


def completed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in `event.LIVE_SCHEMA`: columns that it does not have are null.

    Raises ValueError for a column that the schema does not know.
    """
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
