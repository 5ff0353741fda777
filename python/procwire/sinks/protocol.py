"""Define what every sink has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sink", "Terminal", "write_all"]


class Sink(Protocol):
    """Take batches and write them to a stream, which stays open and is the caller's."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of the schema that the sink was opened with."""
        ...

    def close(self) -> None:
        """Write what must be at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """Describe the terminal that a sink writes to; without one it writes to a file or a pipe."""

    width: int
    colours: bool = False


def write_all(
    batches: Iterable[pa.RecordBatch],
    sink: Sink,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
    after: Callable[[], object] | None = None,
) -> int:
    """Write batches to a sink, which stays open, and return the number of rows.

    held: entered around each batch, to hold back what must not interrupt it. after: called after each batch.
    """
    count = 0
    for batch in batches:
        with held():
            sink.write(batch)
            if after is not None:
                after()
        count += batch.num_rows
    return count
