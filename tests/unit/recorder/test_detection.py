"""The Sigma rules of a recording: a line for each alert, and their reload."""

from __future__ import annotations

import os
import signal
from concurrent.futures import wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA
from procwire.recorder import RecordingLedger
from procwire.recorder.detection import Alerting, AlertLines, first_rules
from procwire.recorder.notices import Notice
from procwire.recorder.settings import RecordingSettings, recording_settings
from procwire.sigma import SigmaStream
from procwire.signals import Hangups
from sigma_cases import batch_of, document, loaded

RULE = document("DestinationPort: 4444").replace("title: A", "title: Back door\nlevel: high")
HIT = {"DestinationPort": 4444, "Image": "C:\\x.exe", "ProcessId": 7, "DestinationIp": "8.8.8.8", "Computer": "WS1"}


def test_alerts_are_lines_so_many_a_second() -> None:
    """The others are counted: a rule that matches everything must not hold up the recording."""
    now_s = 5.0
    notices: list[Notice] = []
    lines = AlertLines(notices.append, now=lambda: now_s)
    found = SigmaStream(loaded(RULE)).matches(batch_of([HIT] * 30))
    lines(found.slice(0, 15))
    lines(found.slice(15))
    lines.tick()
    now_s = 6.0
    lines.tick()
    reported = [notice.text for notice in notices]
    assert {notice.kind for notice in notices} == {"alert"}
    assert reported[0] == ("ALERT high: Back door: x.exe 7 on WS1 → 8.8.8.8:4444 because DestinationPort 4444")
    assert (len(reported), reported[-1]) == (21, "and 10 more alerts")


def settings_for(folder: Path, *ways: str) -> RecordingSettings:
    return recording_settings(detect=folder, to=ways, stdout_format="ndjson")


def test_rules_are_reloaded_and_worse_ones_refused(tmp_path: Path) -> None:
    """In the background, at SIGHUP; a folder without a rule that runs leaves the old ones."""
    (tmp_path / "rule.yml").write_text(RULE)
    ledger = RecordingLedger("fake")
    notices: list[Notice] = []
    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())
        asked_too = hangups.taker()
        rules = first_rules([tmp_path], notices.append)
        alerting = Alerting(settings_for(tmp_path, "ndjson"), rules, [], ledger, hangups, stack, notices.append)

        def reload() -> str:
            os.kill(os.getpid(), signal.SIGHUP)
            alerting.refresh()
            coming = alerting._coming
            if coming is not None:
                wait([coming])
            alerting.refresh()
            return notices[-1].text

        (tmp_path / "rule.yml").write_text(RULE.replace("4444", "80"))
        assert "1 Sigma rule reloaded" in reload()
        (tmp_path / "rule.yml").write_text("nonsense: [")
        assert "Sigma rules loaded at" in reload()
        (tmp_path / "rule.yml").write_text(RULE)
        (tmp_path / "torn.yml").write_bytes(b"\xff")
        assert "torn.yml cannot be read: " in reload()
        alerting.alerts(batch_of([HIT, {**HIT, "DestinationPort": 80}]))
        assert asked_too()
        assert not asked_too()
    assert ledger.detection is not None
    assert (ledger.detection.loaded, ledger.detection.refused) == (2, 2)
    assert ledger.detection.alerts == {"Back door": 1}


def test_lines_go_where_no_output_has_alerts(tmp_path: Path) -> None:
    """Or where they are asked for."""
    lake = recording_settings(detect=tmp_path, lake=tmp_path / "lake")
    file = settings_for(tmp_path, "ndjson")
    for settings, reported in ((lake, True), (file, False), (replace(file, alert_notices=True), True)):
        notices: list[Notice] = []
        with ExitStack() as stack:
            hangups = stack.enter_context(Hangups())
            ledger = RecordingLedger("fake")
            alerting = Alerting(settings, loaded(RULE), [], ledger, hangups, stack, notices.append)
            alerting.alerts(batch_of([HIT]).select(LIVE_SCHEMA.names))
        assert any("ALERT high: Back door" in notice.text for notice in notices) == reported


def test_no_rule_that_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found found no file|found 1 not run|found .*expected a Sigma rule"):
        first_rules([tmp_path], print)


def test_rules_below_a_level_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "high.yml").write_text(RULE)
    (tmp_path / "low.yml").write_text(RULE.replace("level: high", "level: low").replace("Back door", "Front door"))
    notices: list[Notice] = []
    assert [rule.title for rule in first_rules([tmp_path], notices.append, "medium").rules] == ["Back door"]
    assert "1 Sigma rule of level medium and above loaded" in notices[0].text
    with pytest.raises(UsageError, match=r"^found 2 rules below critical; expected a Sigma rule"):
        first_rules([tmp_path], print, "critical")


def test_alert_of_an_unknown_direction_names_neither() -> None:
    notices: list[Notice] = []
    lines = AlertLines(notices.append, now=lambda: 5.0)
    lines(SigmaStream(loaded(RULE)).matches(batch_of([{**HIT, "Protocol": "udp"}])))
    assert "x.exe 7 on WS1 ↔ 8.8.8.8:4444 udp" in notices[0].text
