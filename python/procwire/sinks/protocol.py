"""What every way out has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sink", "Terminal"]


class Sink(Protocol):
    """Takes batches and writes them to a stream, which stays open and is the caller's."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of the schema that the sink was opened with."""
        ...

    def close(self) -> None:
        """Write what must stand at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """The terminal that a sink writes to; without one it writes to a file or a pipe."""

    width: int
    colours: bool = False
