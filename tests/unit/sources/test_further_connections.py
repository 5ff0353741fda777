"""Connections that other providers than Sysmon report are rows of the same table on request, and counted apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import procwire
from command_line import invoke
from procwire.errors import UsageError
from procwire.event import AUDIT_BLOCK, CONNECTION, FURTHER_CONNECTIONS, events_named
from procwire.ledger import Ledger
from procwire.query.from_logs import connect_logs

AUDIT = Path("tests/data/evtx-other/omerbenamram/Security_short_selected.evtx.gz").resolve()
DEFENDER = {
    "Timestamp": "2024-05-14T09:13:27.481Z", "DeviceName": "WS-17", "ActionType": "ConnectionSuccess",
    "RemoteIP": "203.0.113.9", "RemotePort": 443, "RemoteUrl": "c2.bad.example", "LocalIP": "10.0.0.10",
    "LocalPort": 3333, "Protocol": "Tcp", "InitiatingProcessFileName": "upd.exe",
    "InitiatingProcessFolderPath": "c:\\tmp\\upd.exe", "InitiatingProcessId": 6712, "ReportId": 1,
}  # fmt: skip


@pytest.fixture
def defender(tmp_path: Path) -> Path:
    rows = [DEFENDER, DEFENDER | {"ActionType": "ConnectionFailed"}, DEFENDER | {"ActionType": "PortScan"}]
    path = tmp_path / "defender.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_event_log_of_the_audit_has_the_connections_that_were_blocked() -> None:
    # The values as PyPI's evtx reads them; inbound, so that the audit's source is the destination.
    ledger = Ledger()
    (row,) = procwire.read([AUDIT], event="audit-block", ledger=ledger).to_pylist()
    assert (row["src_ip"], row["dst_ip"], row["network_protocol"]) == ("169.46.118.42", "169.46.6.101", "icmp")
    assert (row["process_id"], row["process_name"], row["network_connection_initiated"]) == (4, "System", False)
    assert (row["computer_name"], row["event_id"], row["process_guid"]) == ("temporal", 5157, None)
    assert row["event_creation_time"] == row["event_recorded_time"]
    assert ledger.by_event == {"audit-block": 1}
    assert ledger.summary().startswith("1 file, 7 records, 1 audited block, 6 of other providers")


def test_nobody_gets_them_who_did_not_ask(defender: Path) -> None:
    for path in (AUDIT, defender):
        ledger = Ledger()
        assert procwire.read([path], ledger=ledger).num_rows == 0
        assert ledger.events == 0


@pytest.mark.parametrize(
    ("asked", "rows"), [("defender-connection", 1), ("defender-attempt", 1), ("connection,defender-connection", 1)]
)
def test_connections_and_attempts_of_defender_are_asked_for_apart(asked: str, rows: int, defender: Path) -> None:
    table = procwire.read([defender], event=asked)
    assert table.num_rows == rows
    assert set(table["provider_name"].to_pylist()) == {"Microsoft Defender for Endpoint"}


def test_events_of_one_table_are_read_together(defender: Path, example_log: str) -> None:
    asked = ",".join(event.name for event in (CONNECTION, *FURTHER_CONNECTIONS))
    ledger = Ledger()
    table = procwire.read([AUDIT, defender, example_log], event=asked, ledger=ledger)
    assert ledger.by_event == {"connection": 153, "audit-block": 1, "defender-connection": 1, "defender-attempt": 1}
    assert table.schema.equals(CONNECTION.schema)
    assert table["event_keywords"].to_pylist().count("ConnectionFailed") == 1


@pytest.mark.parametrize("names", ["connection,dns-query", "5156,1", "", "connection,", "0"])
def test_events_of_several_tables_and_of_no_name_are_refused(names: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        events_named(names)


def test_events_are_known_by_number_and_name() -> None:
    assert events_named("5157, audit-block,3") == (AUDIT_BLOCK, CONNECTION)


def test_a_configuration_is_for_sysmons_connections(defender: Path) -> None:
    found = invoke("read", defender, "--event", "defender-connection", "--config", "examples/configs/server-linux.xml")
    assert found.exit_code == 2
    assert "expected connection" in found.stderr


def test_queries_have_them_beside_sysmons(defender: Path) -> None:
    for events, rows in ((("connection",), 0), (("defender-connection", "defender-attempt"), 2)):
        connections = events_named(",".join(events))
        with connect_logs([defender], ledger=Ledger(), connections=connections) as database:
            assert database.execute("SELECT count(*) FROM connections").fetchone() == (rows,)


def test_formats_of_sysmons_events_do_not_take_them(defender: Path) -> None:
    found = invoke("read", defender, "--event", "defender-connection", "--to", "xml")
    assert found.exit_code == 2
    assert "expected another format" in found.stderr
