"""An event in any nesting, spelling of its keys, joining and escaping is read correctly, or refused and counted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scanning import feed

SYSMON = {
    "RuleName": "technique_id=T1571",
    "UtcTime": "2024-05-14 09:13:27.481",
    "ProcessGuid": "{A1B2C3D4-5E6F-6643-9A01-000000001A00}",
    "ProcessId": "6712",
    "Image": "C:\\Users\\mara\\upd.exe",
    "User": "CORP\\mara",
    "Protocol": "tcp",
    "Initiated": "true",
    "SourceIsIpv6": "false",
    "SourceIp": "10.20.30.41",
    "SourceHostname": "ws-17",
    "SourcePort": "50122",
    "SourcePortName": "-",
    "DestinationIsIpv6": "false",
    "DestinationIp": "203.0.113.77",
    "DestinationHostname": "c2.bad.example",
    "DestinationPort": "4444",
    "DestinationPortName": "-",
}
ECS = {
    "source": {"ip": "10.20.30.41", "port": 50122, "domain": "ws-17"},
    "destination": {"ip": "203.0.113.77", "port": 4444, "domain": "c2.bad.example"},
    "process": {"pid": 6712, "executable": "C:\\Users\\mara\\upd.exe", "entity_id": SYSMON["ProcessGuid"]},
    "user": {"name": "mara", "domain": "CORP"},
    "network": {"transport": "tcp", "direction": "egress", "type": "ipv4"},
    "rule": {"name": "technique_id=T1571"},
}
EXPECTED = {
    "process_guid": SYSMON["ProcessGuid"],
    "process_id": 6712,
    "process_name": SYSMON["Image"],
    "user_name": "CORP\\mara",
    "network_protocol": "tcp",
    "network_connection_initiated": True,
    "src_ip": "10.20.30.41",
    "src_host_name": "ws-17",
    "src_port": 50122,
    "dst_ip": "203.0.113.77",
    "dst_host_name": "c2.bad.example",
    "dst_port": 4444,
    "rule_name": "technique_id=T1571",
    "event_id": 3,
}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


STYLES: dict[str, Callable[[str], str]] = {
    "own": str,
    "lower": str.lower,
    "upper": str.upper,
    "camel": lambda name: name[0].lower() + name[1:],
    "snake": snake,
    "underscored": lambda name: "_" + name,
}
WORDS = (
    "event",
    "EventData",
    "data",
    "win",
    "winlog",
    "event_data",
    "payload",
    "doc",
    "record",
    "fields",
    "a",
    "b1",
    "x-y",
)
ID_KEYS = ("EventID", "event_id", "eventid", "EventCode", "winlog.event_id", "event.code")
PROVIDER_KEYS = ("Provider", "provider_name", "SourceName", "source", "anything", "meta.of.it")


def flattened(tree: dict[str, Any], joining: str, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{joining}{key}" if prefix else key
        flat |= flattened(value, joining, path) if isinstance(value, dict) else {path: value}
    return flat


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """The event as a document: its fields somewhere, in some spelling, within some wrappers."""
    style = STYLES[draw(st.sampled_from(sorted(STYLES)))]
    form = draw(st.sampled_from(("names", "ecs", "pairs", "xml", "message", "list")))
    event: dict[str, Any] = {}
    match form:
        case "names":
            event = {style(name): value for name, value in SYSMON.items()}
            for word in draw(st.lists(st.sampled_from(WORDS), max_size=3)):
                event = {word: event}
        case "ecs":
            event = dict(ECS)
        case "pairs":
            name, value = draw(st.sampled_from((("Name", "#text"), ("@Name", "text"), ("key", "value"))))
            event = {"EventData": [{name: key, value: text} for key, text in SYSMON.items()]}
        case "xml":
            data = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in SYSMON.items())
            event = {draw(st.sampled_from(WORDS)): f"<EventData>{data}</EventData>"}
        case "message":
            end = draw(st.sampled_from(("\n", "\r\n")))
            lines = end.join(f"{name}: {value}" for name, value in SYSMON.items())
            event = {draw(st.sampled_from(WORDS)): f"Network connection detected:{end}{lines}"}
        case "list":
            dropped = draw(st.sampled_from((None, "RuleName", "SourcePortName", "DestinationPortName")))
            event = {draw(st.sampled_from(WORDS)): [value for name, value in SYSMON.items() if name != dropped]}
    event[draw(st.sampled_from(ID_KEYS))] = draw(st.sampled_from((3, "3")))
    keys = [key for key in PROVIDER_KEYS if key not in event]
    event[draw(st.sampled_from(keys))] = "Microsoft-Windows-Sysmon"
    if draw(st.booleans()):
        event = flattened(event, draw(st.sampled_from((".", "_", "-", "/"))))
    return event


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """A document within wrappers, some of them strings of JSON."""
    document: Any = draw(documents())
    for word in draw(st.lists(st.sampled_from(WORDS), max_size=3)):
        if draw(st.booleans()):
            document = json.dumps(document)
        document = {word: [document] if draw(st.booleans()) else document, "n": 1, "label": "text"}
    return json.dumps(document, indent=draw(st.sampled_from((None, 1))), ensure_ascii=draw(st.booleans())).encode()


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(logs())
def test_an_event_in_any_encoding_is_read_correctly_or_refused(raw: bytes) -> None:
    table, account = feed(raw, format="json")
    assert table.num_rows + sum(tally.count for tally in account.damage.values()) == 1
    for row in table.to_pylist():
        assert {name: row[name] for name in EXPECTED if row[name] is not None and row[name] != EXPECTED[name]} == {}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(documents())
def test_an_event_in_any_spelling_is_read_completely(document: dict[str, Any]) -> None:
    table, _ = feed(json.dumps(document).encode(), format="json")
    assert [{name: row[name] for name in EXPECTED if name != "rule_name"} for row in table.to_pylist()] == [
        {name: value for name, value in EXPECTED.items() if name != "rule_name"}
    ]
