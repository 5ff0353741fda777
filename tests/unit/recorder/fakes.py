"""A source that yields given batches, and an output that stores what it gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa

from procwire.event import LIVE_SCHEMA
from procwire.sources.live import Hook

Row = dict[str, Any]


def live(*rows: Row) -> pa.RecordBatch:
    """A batch of connections with these columns."""
    return pa.RecordBatch.from_pylist([{"record_kind": "connection", **row} for row in rows], schema=LIVE_SCHEMA)


class FakeSource:
    """Gives its batches one after the other; `losses` grow as given, a count for each step.

    unattributed: so many rows lack their process."""

    name = "fake"
    hooks: Sequence[Hook] = ()
    capabilities: Collection[int] = ()

    def __init__(self, *batches: pa.RecordBatch | None, losses: Sequence[int] = (), unattributed: int = 0) -> None:
        self.batches = list(batches)
        self._losses = list(losses)
        self._lost = 0
        self._unattributed = unattributed
        self.steps = 0

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        del timeout_s
        self.steps += 1
        if self._losses:
            self._lost += self._losses.pop(0)
        return self.batches.pop(0) if self.batches else None

    def losses(self) -> Mapping[str, int]:
        return {"buffer full": self._lost, "never": 0}

    def unattributed(self) -> Mapping[str, int]:
        return {"undescribed": self._unattributed, "unseen": 0}

    def warnings(self) -> Mapping[str, int]:
        return {"odd": self.steps}

    def close(self) -> None:
        pass


class FakeOutput:
    """Keeps rows; loses those of the first `failing` batches, and reports it afterwards."""

    def __init__(self, failing: int = 0) -> None:
        self.rows: list[Row] = []
        self.ticks = 0
        self._failing = failing
        self._untold = 0

    def write(self, batch: pa.RecordBatch) -> None:
        assert batch.schema.equals(LIVE_SCHEMA)
        if self._failing:
            self._failing -= 1
            self._untold += batch.num_rows
        else:
            self.rows += batch.to_pylist()

    def tick(self) -> None:
        self.ticks += 1

    def take_losses(self) -> int:
        if self._failing:
            return 0
        untold, self._untold = self._untold, 0
        return untold

    def close(self) -> None:
        pass
