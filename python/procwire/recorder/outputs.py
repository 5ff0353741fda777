"""Write an output of a recording: the rows and columns that its format has a place for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from procwire.event import LIVE_SCHEMA, Group
from procwire.recorder.accounts import Account, Counted
from procwire.recorder.alerts import alert_schema, with_alert_columns
from procwire.recorder.ledger import OutputLedger
from procwire.select import LIVE_GROUPS, Selection
from procwire.sinks import RECORDING_COLUMNS
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["Output", "SelectedOutput", "live_selection", "schema_of"]


class Output(Counted, Protocol):
    """Write a sink of a recording: `sinks.recording.RecordingOutput`, or a lake."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of its schema."""

    def tick(self) -> None:
        """Do what is due after a time."""

    def close(self) -> None:
        """Write what must be at the end."""


def live_selection(
    way: str, names: Names, columns: Sequence[str] | None, *, unlogged: bool = False
) -> Selection | None:
    """Return the columns that a format gets; None for Sysmon's own formats and the lake, which get complete rows.

    unlogged: whether rows that no rule logs are kept, so that a column must mark them.

    Raises UsageError for a column that does not exist.
    """
    if format_named(way).whole_events:
        return None
    if way == "table" and columns is None and names == "ossem":
        columns = RECORDING_COLUMNS
    groups: tuple[Group, ...] = (*LIVE_GROUPS, "rules") if unlogged else LIVE_GROUPS
    return Selection(names=names, columns=columns, groups=groups, live=True)


def schema_of(selection: Selection | None, way: str = "", *, alerts: bool = False) -> pa.Schema:
    """Return the schema of the rows that a format gets.

    alerts: whether rows also report alerts; formats of complete events have no place for them.
    """
    if selection is None:
        return LIVE_SCHEMA
    return alert_schema(selection.schema, way) if alerts else selection.schema


class SelectedOutput:
    """Write the columns that `selection` keeps of each batch to `sink`, which has its schema.

    ledger: counts its rows. complain: called when rows begin to be lost, and when that is over. alert_schema: the
    sink's schema if it accepts alerts; None to omit them.
    """

    def __init__(
        self,
        sink: Output,
        selection: Selection | None,
        ledger: OutputLedger,
        complain: Callable[[str], None],
        *,
        alert_schema: pa.Schema | None = None,
    ) -> None:
        self._sink = sink
        self._alert_schema = alert_schema
        self._alerts_left_out = 0
        self._selection = selection
        self._account = Account(sink, ledger, complain)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch of `event.LIVE_SCHEMA`."""
        if self._selection is not None:
            batch = next(self._selection.apply([batch]))
        if self._alert_schema is not None:
            batch = with_alert_columns(batch, self._alert_schema)
        self._sink.write(batch)
        self._account.take(left_out=self._alerts_left_out)

    def write_alerts(self, alerts: pa.RecordBatch) -> None:
        """Write alerts, of `sigma.SCHEMA`."""
        if self._selection is None or self._alert_schema is None:
            self._alerts_left_out += alerts.num_rows
        else:
            [events] = self._selection.apply([alerts.select(LIVE_SCHEMA.names)])
            self._sink.write(with_alert_columns(events, self._alert_schema, alerts))
        self._account.take(left_out=self._alerts_left_out)

    def tick(self) -> None:
        """Do what is due after a time."""
        self._sink.tick()
        self._account.take(left_out=self._alerts_left_out)

    def close(self) -> None:
        """Write what must be at the end."""
        self._sink.close()
        self._account.take(left_out=self._alerts_left_out)

    def take_losses(self) -> int:
        """Return how many rows were lost here and not reported yet; 0 while they cannot be reported."""
        return self._account.take_losses()
