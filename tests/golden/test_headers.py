"""Hunts and Sigma rules find the same in the lines of collectors as in JSON of the same events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import procwire

START = datetime(2024, 5, 14, tzinfo=UTC)
CHANNEL = "Microsoft-Windows-Sysmon/Operational"
RULE = """
title: Program in ProgramData connects
id: 0b1ee3c4-6a3a-4b0a-9c3b-5d3f0d7b2f11
status: experimental
logsource: {category: network_connection, product: windows}
detection:
  selection: {Image|startswith: 'C:\\ProgramData\\', Initiated: 'true'}
  condition: selection
level: high
"""

Fields = dict[str, str]


def events() -> list[tuple[str, datetime, Fields]]:
    """Return (computer, time, fields) of programs that call home every ten minutes, and of one that does not."""
    found = []
    for host in range(4):
        for number in range(144):
            time = START + timedelta(minutes=10 * number, seconds=host + number % 3)
            beacon = host < 3
            fields = {
                "RuleName": "-",
                "UtcTime": time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
                "ProcessGuid": f"{{A1B2C3D4-5E6F-6643-9A01-00000000{host:04X}}}",
                "ProcessId": str(4000 + host),
                "Image": "C:\\ProgramData\\upd.exe" if beacon else "C:\\Program Files\\B  C\\b.exe",
                "User": f"CORP\\u{host}",
                "Protocol": "tcp",
                "Initiated": "true",
                "SourceIsIpv6": "false",
                "SourceIp": f"10.20.30.{10 + host}",
                "SourceHostname": "-",
                "SourcePort": str(50000 + number),
                "SourcePortName": "-",
                "DestinationIsIpv6": "false",
                "DestinationIp": "203.0.113.77" if beacon else f"198.51.100.{number}",
                "DestinationHostname": "-",
                "DestinationPort": "443",
                "DestinationPortName": "https",
            }
            found.append((f"WS-0{host}", time, fields))
    return found


def message(fields: Fields, between: str) -> str:
    return "Network connection detected:" + between + between.join(f"{name}: {value}" for name, value in fields.items())


def as_json(computer: str, _time: datetime, fields: Fields) -> str:
    system = {"Computer": computer, "Channel": CHANNEL, "Provider": "Microsoft-Windows-Sysmon", "EventID": 3}
    return json.dumps({**system, "EventData": fields})


def as_snare(computer: str, time: datetime, fields: Fields) -> str:
    header = [f"<14>{time:%b %d %H:%M:%S} {computer} MSWinEventLog", "1", CHANNEL, "0", f"{time:%a %b %d %H:%M:%S %Y}"]
    header += [
        "3",
        "Microsoft-Windows-Sysmon",
        "SYSTEM",
        "User",
        "Information",
        computer,
        "x",
        "",
        message(fields, "  "),
    ]
    return "\t".join([*header, "17"])


def as_rsyslog(computer: str, time: datetime, fields: Fields) -> str:
    return f"{time.isoformat()} {computer} Microsoft-Windows-Sysmon[3028]: {message(fields, '  ')}"


def as_wincollect(computer: str, time: datetime, fields: Fields) -> str:
    header = f"AgentLogFile={CHANNEL}\tSource=Microsoft-Windows-Sysmon\tComputer={computer}\tUser=SYSTEM\tEventID=3"
    return f"<13>{time:%b %d %H:%M:%S} {computer} {header}\tMessage={message(fields, ' ')}"


def as_pairs(computer: str, _time: datetime, fields: Fields) -> str:
    system = f'EventID="3", SourceName="Microsoft-Windows-Sysmon", Hostname="{computer}", Channel="{CHANNEL}"'
    return system + "".join(f', {name}="{value}"' for name, value in fields.items())


def found_in(log: Path, rules: Path) -> tuple[list[dict[str, object]], list[tuple[object, ...]]]:
    beacons = procwire.hunt("beacons", log).table.to_pylist()
    matches = procwire.detect(rules, log).table.to_pylist()
    return beacons, sorted((match["computer_name"], match["event_creation_time"], match["dst_ip"]) for match in matches)


@pytest.mark.parametrize("write", [as_snare, as_rsyslog, as_wincollect, as_pairs])
def test_a_collectors_lines_are_worth_as_much_as_json(
    write: Callable[[str, datetime, Fields], str], tmp_path: Path
) -> None:
    rules = tmp_path / "rule.yml"
    rules.write_text(RULE)
    logs = []
    for name, form in (("json", as_json), ("lines", write)):
        log = tmp_path / name
        log.write_text("".join(form(*event) + "\n" for event in events()))
        logs.append(found_in(log, rules))
    (beacons, matches), other = logs
    assert (len(beacons), len(matches)) == (3, 3 * 144)
    assert other == (beacons, matches)
