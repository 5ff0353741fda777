"""A recording's sink into the lake: gathers rows for some seconds, then commits them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa

from procwire.errors import LakeError
from procwire.lake.lake import Lake
from procwire.lake.readings import Reading
from procwire.sources.memory import return_unused

__all__ = ["LakeOutput"]

_COMMIT_S = 10.0
# About 7 MB; twice as many rows would save only a microsecond per row.
_COMMIT_ROWS = 8_192
# The most rows held while the lake cannot be written: about 300 MB.
_HELD_ROWS = 500_000


class LakeOutput:
    """Write batches of `event.LIVE_SCHEMA` to a lake; `written` counts the committed rows.

    source: unique name of this recording. name: the machine's name, for the lake's ledger. If the lake cannot be
    written (a full disk), the recording continues: up to _HELD_ROWS rows are held and tried again; further rows are
    lost and counted in `lost`.
    """

    skipped = 0

    def __init__(self, lake: Lake, source: str, name: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self.written = self.lost = 0
        self.error: str | None = None
        self._lake = lake
        self._reading = Reading("recording", source, name)
        self._now = now
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self._sequence = 0
        self._due_s = 0.0

    def write(self, batch: pa.RecordBatch) -> None:
        """Accept a batch, and commit if enough rows have gathered or the time has come."""
        if self._rows + batch.num_rows > _HELD_ROWS:
            self.lost += batch.num_rows
            return
        if not self._pending:
            self._due_s = self._now() + _COMMIT_S
        self._pending.append(batch)
        self._rows += batch.num_rows
        if self._rows >= _COMMIT_ROWS and self.error is None:
            self._commit()
        else:
            self.tick()

    def tick(self) -> None:
        """Commit the pending rows if they are due."""
        if self._pending and self._now() >= self._due_s:
            self._commit()

    def close(self) -> None:
        """Commit the rest, and add this recording to the lake's ledger."""
        if self._pending:
            self._commit()
        self.lost += self._rows
        self._pending, self._rows = [], 0
        self._reading.events = self.written + self.lost
        self._reading.added, self._reading.lost = self.written, self.lost
        try:
            self._lake.readings.add([self._reading])
        except (LakeError, OSError) as error:
            self.error = str(error)

    def _commit(self) -> None:
        # Keep the same version until it succeeds: then a commit whose reply was lost is not repeated.
        try:
            self._lake.append(self._pending, source=self._reading.source, version=self._sequence)
        except (LakeError, OSError, pa.ArrowException) as error:
            self.error = f"cannot write: {error}"
            self._due_s = self._now() + _COMMIT_S
            return
        self.error = None
        self._sequence += 1
        self.written += self._rows
        self._pending, self._rows = [], 0
        # A commit allocates much memory, and is rare.
        return_unused()
