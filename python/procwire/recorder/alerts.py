"""Match Sigma rules on a recording: written rows are matched, and matches become separate rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from procwire.recorder.ledger import DetectionLedger
from procwire.sinks.formats import format_named
from procwire.sinks.kinds import ALERT, ALERT_COLUMNS

if TYPE_CHECKING:
    # pySigma takes long to import, and most recordings raise no alerts.
    from procwire.sigma import RuleSet

__all__ = ["AlertOutput", "Alerts", "alert_rows", "alert_schema", "with_alert_columns"]


class AlertOutput(Protocol):
    """Take alerts beside its events."""

    def write_alerts(self, alerts: pa.RecordBatch) -> None:
        """Write a batch of `sigma.SCHEMA`, and flush it."""
        ...


class Alerts:
    """Match each written batch, and write the alerts to the outputs after it.

    They follow the events, so that no event waits for them. tell: called with each batch of alerts. complain: called
    when matching fails, which does not end the recording.
    """

    def __init__(
        self,
        rules: RuleSet,
        outputs: Sequence[AlertOutput],
        ledger: DetectionLedger,
        tell: Callable[[pa.RecordBatch], None],
        complain: Callable[[str], None],
    ) -> None:
        self._outputs = outputs
        self._ledger = ledger
        self._tell = tell
        self._complain = complain
        self.take(rules)

    def take(self, rules: RuleSet) -> None:
        """Match by these rules from now on; correlations restart."""
        from procwire.sigma import SigmaStream

        self._stream = SigmaStream(rules)
        self._has_failed = False
        self._ledger.take(len(rules.rules), len(rules.problems))

    def __call__(self, batch: pa.RecordBatch) -> None:
        """Match a batch of `event.LIVE_SCHEMA` that was written."""
        alerts = self._matches(batch)
        if alerts is not None and alerts.num_rows:
            self._ledger.count(alerts.column("rule_title").to_pylist())
            self._tell(alerts)
            rows = alert_rows(alerts)
            for output in self._outputs:
                output.write_alerts(rows)

    def _matches(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        try:
            return self._stream.matches(batch)
        except Exception as error:
            # A rule may raise anything, but the events are already written, and later ones must be.
            self._ledger.unmatched += batch.num_rows
            if not self._has_failed:
                self._complain(f"cannot match Sigma rules: {type(error).__name__}: {error}; the recording continues")
            self._has_failed = True
            return None


def alert_rows(alerts: pa.RecordBatch) -> pa.RecordBatch:
    """Return matches, of `sigma.SCHEMA`, as rows of a recording, which refer to an event but are not Sysmon events."""
    from procwire.sigma import SCHEMA

    for name, value in (("record_kind", ALERT), ("event_id", None)):
        place = SCHEMA.get_field_index(name)
        constant = pa.repeat(pa.scalar(value, SCHEMA.field(name).type), alerts.num_rows)
        alerts = alerts.set_column(place, SCHEMA.field(name), constant)
    return alerts


def alert_schema(events: pa.Schema, way: str) -> pa.Schema:
    """Return the columns of an output with alerts: its events', then those that only alerts have.

    In text the rule's tags are JSON.
    """
    return pa.schema([*events, *(_field(name, way) for name in ALERT_COLUMNS if name not in events.names)])


def with_alert_columns(
    events: pa.RecordBatch, schema: pa.Schema, alerts: pa.RecordBatch | None = None
) -> pa.RecordBatch:
    """Return rows of an output with its columns for alerts; alerts: their values, null without."""
    more = [
        pa.nulls(events.num_rows, field.type) if alerts is None else _column(alerts, field)
        for field in list(schema)[events.num_columns :]
    ]
    return pa.record_batch([*events.columns, *more], schema=schema)


def _field(name: str, way: str) -> pa.Field:
    from procwire.sigma import SCHEMA

    field = SCHEMA.field(name)
    return field if format_named(way).binary or not pa.types.is_list(field.type) else pa.field(name, pa.string())


def _column(alerts: pa.RecordBatch, field: pa.Field) -> pa.Array:
    column = alerts.column(field.name)
    if column.type == field.type:
        return column
    return pa.array([None if value is None else json.dumps(value) for value in column.to_pylist()], pa.string())
