"""Alerts on real traffic: within a second, behind their events, and never at an event's cost."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespaces import Host
from recording import Recording

RULE = """title: {title}
level: high
logsource: {{category: network_connection, product: linux}}
detection:
  selection: {{Initiated: '{initiated}'}}
  condition: selection
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Rules, in a folder that the account which records may read."""
    made = Path(tempfile.mkdtemp(prefix="procwire-test-"))
    made.chmod(0o755)
    put(made, "Out", "true")
    yield made
    shutil.rmtree(made)


def put(folder: Path, title: str, initiated: str) -> None:
    path = folder / "rule.yml"
    path.write_text(RULE.format(title=title, initiated=initiated))
    path.chmod(0o644)


def test_alerts_stand_behind_their_events(host: Host, folder: Path) -> None:
    """Each reports one event, by its record id; all events are there, and none is lost."""
    with Recording("--attempts", "--detect", str(folder)) as recording:
        rows = recording.expect(host.run("mix.run", "alerts", 400), host)
        alerts = [row for row in rows if row["record_kind"] == "alert"]
        events = [row for row in rows if row["record_kind"] in ("connection", "attempt")]
        due = [row for row in events if row["network_connection_initiated"]]
        assert due
        assert [row["record_id"] for row in alerts] == [row["record_id"] for row in due]
        places = {row["record_id"]: place for place, row in enumerate(rows) if row["record_kind"] != "alert"}
        assert all(rows.index(alert) > places[alert["record_id"]] for alert in alerts)
        assert {alert["rule_title"] for alert in alerts} == {"Out"}
        code, ledger = recording.end()
        assert (code, ledger["lost"]) == (130, {})
        assert ledger["detection"]["alerts"]["Out"] >= len(alerts)


def test_rules_change_at_sighup(host: Host, folder: Path) -> None:
    with Recording("--detect", str(folder)) as recording:
        put(folder, "In", "false")
        recording.process.send_signal(signal.SIGHUP)
        recording.wait_for_line("1 Sigma rule reloaded")
        rows = recording.expect(host.run("tcp.both_ends", "v4"), host)
        [alert] = [row for row in rows if row["record_kind"] == "alert"]
        assert (alert["rule_title"], alert["network_connection_initiated"]) == ("In", False)
