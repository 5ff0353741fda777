"""An output of a recording: the rows and columns that its format has a place for."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from procwire.event import LIVE_SCHEMA, Names
from procwire.recorder.ledger import OutputLedger
from procwire.recorder.loop import RecordingSink
from procwire.select import LIVE_GROUPS, Selection
from procwire.sinks import CONNECTION_COLUMNS
from procwire.sinks.kinds import events

__all__ = ["SYSMON_WAYS", "SelectedOutput", "live_selection", "schema_of"]

SYSMON_WAYS = ("xml", "syslog")
"""Formats that hold Sysmon's events, whole: connections, and losses as its Error event."""


def live_selection(way: str, names: Names, columns: Sequence[str] | None) -> Selection | None:
    """The columns that a format gets; None for Sysmon's own, which get whole rows.

    Raises UsageError for a column that does not exist.
    """
    if way in SYSMON_WAYS:
        return None
    if way == "table" and columns is None and names == "ossem":
        columns = CONNECTION_COLUMNS
    return Selection(names=names, columns=columns, groups=LIVE_GROUPS, live=True)


class SelectedOutput:
    """Writes what `selection` gives of each batch to `sink`, which is of its schema, and counts in `ledger`."""

    def __init__(self, sink: RecordingSink, selection: Selection | None, ledger: OutputLedger) -> None:
        self._sink = sink
        self._selection = selection
        self._ledger = ledger

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of `event.LIVE_SCHEMA`."""
        if self._selection is None:
            kept = events(batch)
            self._ledger.left_out += batch.num_rows - kept.num_rows
        else:
            kept = next(self._selection.apply([batch]), batch.slice(0, 0))
        if kept.num_rows:
            self._sink.write(kept)
            self._ledger.written += kept.num_rows

    def tick(self) -> None:
        """What is due after a time."""
        self._sink.tick()

    def close(self) -> None:
        """Write what must stand at the end."""
        self._sink.close()


def schema_of(selection: Selection | None) -> pa.Schema:
    """The schema of what a sink gets."""
    return LIVE_SCHEMA if selection is None else selection.schema
