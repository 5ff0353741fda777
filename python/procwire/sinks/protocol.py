"""Define what every sink has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sink", "Terminal"]


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
