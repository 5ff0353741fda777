"""Alerts of a recording: behind the events they are about, in the columns that each output has for them."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from fakes import FakeOutput, FakeSource, live

from procwire.event import LIVE_SCHEMA
from procwire.recorder import DetectionLedger, OutputLedger, Recorder, RecordingLedger
from procwire.recorder.alerts import Alerts
from procwire.recorder.outputs import SelectedOutput, live_selection, schema_of
from procwire.sigma import SCHEMA, RuleSet, SigmaStream
from procwire.sinks.kinds import ALERT_COLUMNS
from sigma_cases import document, loaded

HEAD = "title: Back door\nlevel: high\ntags: [a.b]"
RULE = document("DestinationPort: 4444", product="linux").replace("title: A", HEAD)
EVENTS = ({"dst_port": 4444, "provider_name": "Linux-Sysmon"}, {"dst_port": 80, "provider_name": "Linux-Sysmon"})


class Sink:
    """Keeps the batches that it is given."""

    skipped = lost = 0
    error = None

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []

    @property
    def written(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    def write(self, batch: pa.RecordBatch) -> None:
        self.batches.append(batch)

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


def rules() -> RuleSet:
    return loaded(RULE)


def record(way: str, *rows: dict[str, Any], columns: list[str] | None = None) -> tuple[Sink, OutputLedger]:
    """Record rows to one output, with the rule."""
    selection = live_selection(way, "ossem", columns)
    sink, ledger = Sink(), OutputLedger("out", way)
    schema = schema_of(selection, way, alerts=True)
    with_alerts = schema if selection is not None else None
    output = SelectedOutput(sink, selection, ledger, lambda _: None, alert_schema=with_alerts)
    alerts = Alerts(rules(), [output], DetectionLedger(), lambda _: None, lambda _: None)
    batch = live(*rows)
    output.write(batch)
    alerts(batch)
    assert all(batch.schema.equals(schema) for batch in sink.batches)
    return sink, ledger


def test_the_columns_of_alerts_are_those_of_matches() -> None:
    """The sinks name them themselves, for they know no Sigma."""
    assert list(ALERT_COLUMNS) == [name for name in SCHEMA.names if name not in LIVE_SCHEMA.names]


@pytest.mark.parametrize("way", ["ndjson", "csv", "csv-safe", "parquet", "arrow", "table"])
def test_alert_is_a_row_of_its_own_behind_its_event(way: str) -> None:
    """One type for both, whatever the format; the tags stay a list where the format has lists."""
    sink, ledger = record(way, *EVENTS)
    assert [batch.num_rows for batch in sink.batches] == [2, 1]
    events, alerts = (batch.to_pylist() for batch in sink.batches)
    assert {event["rule_title"] for event in events} == {None}
    assert (alerts[0]["record_kind"], alerts[0]["dst_port"], alerts[0]["rule_title"]) == ("alert", 4444, "Back door")
    assert alerts[0]["rule_tags"] == (["a.b"] if way in ("parquet", "arrow") else '["a.b"]')
    assert json.loads(alerts[0]["matched"]) == {"DestinationPort": 4444}
    assert alerts[0].get("event_id") is None
    assert (ledger.written, ledger.left_out) == (3, 0)


@pytest.mark.parametrize("way", ["xml", "syslog", "lake"])
def test_formats_of_events_leave_alerts_out_and_say_so(way: str) -> None:
    sink, ledger = record(way, *EVENTS)
    assert [batch.num_rows for batch in sink.batches] == [2]
    assert ledger.left_out == 1


def test_chosen_columns_are_kept() -> None:
    sink, _ = record("ndjson", *EVENTS, columns=["dst_port"])
    assert sink.batches[1].schema.names == ["dst_port", *ALERT_COLUMNS]


def test_recorder_matches_what_was_written_with_its_record_id() -> None:
    """What the rules or the predicate leave out raises no alert; events come first."""
    seen: list[tuple[str, list[Any]]] = []

    class Output(FakeOutput):
        def write(self, batch: pa.RecordBatch) -> None:
            super().write(batch)
            seen.append(("events", batch.column("record_id").to_pylist()))

        def write_alerts(self, alerts: pa.RecordBatch) -> None:
            seen.append(("alerts", alerts.column("record_id").to_pylist()))

    def numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
        place = LIVE_SCHEMA.get_field_index("record_id")
        ids = pa.array(range(7, 7 + batch.num_rows), pa.int64())
        return batch.set_column(place, LIVE_SCHEMA.field(place), ids)

    output, source = Output(), FakeSource(live(EVENTS[1], EVENTS[0], EVENTS[0]))
    ledger = RecordingLedger("fake", detection=DetectionLedger())
    assert ledger.detection is not None
    recorder = Recorder(
        source,
        [output],
        enrich=(),
        predicate=lambda batch: batch.slice(0, 2),
        envelope=numbered,
        ledger=ledger,
        on_status=lambda _: None,
        written=Alerts(rules(), [output], ledger.detection, lambda _: None, lambda _: None),
    )
    recorder.run(lambda: not source.batches)
    assert seen == [("events", [7, 8]), ("alerts", [8])]
    assert ledger.detection.alerts == {"Back door": 1}
    assert "alerts: 1 by 1 Sigma rule: 1 × Back door" in ledger.summary()
    assert json.loads(json.dumps(ledger.to_dict()))["detection"]["alerts"] == {"Back door": 1}


def test_ends_and_losses_raise_no_alert() -> None:
    """The connection did, when it was made."""
    sink, _ = record("ndjson", {**EVENTS[0], "record_kind": "close"}, {**EVENTS[0], "record_kind": "loss"})
    assert len(sink.batches) == 1


def test_rules_are_changed_between_batches() -> None:
    shown_text: list[pa.RecordBatch] = []
    ledger = DetectionLedger()
    alerts = Alerts(rules(), [], ledger, shown_text.append, lambda _: None)
    alerts(live(EVENTS[1]))
    assert not shown_text
    alerts.take(loaded(RULE.replace("4444", "80"), document("Nonsense: 1")))
    alerts(live(EVENTS[1]))
    assert [batch.num_rows for batch in shown_text] == [1]
    assert (ledger.loaded, ledger.rules, ledger.not_run) == (2, 1, 1)


def test_a_rule_that_fails_does_not_end_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported once, what could not be matched is counted, and matching goes on when it can."""
    ledger, complaints, found = DetectionLedger(), list[str](), rules()
    alerts = Alerts(found, [], ledger, lambda _: None, complaints.append)
    with monkeypatch.context() as patch:
        patch.setattr(SigmaStream, "matches", lambda *_: 1 / 0)
        for _ in range(2):
            alerts(live(*EVENTS))
    alerts(live(*EVENTS))
    assert complaints == ["cannot match Sigma rules: ZeroDivisionError: division by zero; the recording continues"]
    assert (ledger.unmatched, ledger.alerts) == (4, {"Back door": 1})
    assert "(4 events could not be matched)" in str(ledger)
