"""Two readers of EVTX that share no code with procwire: PyPI `evtx` (Rust) and python-evtx (Python)."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import evtx
import Evtx.Evtx

Record = dict[str, Any]

NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
SYSTEM = {
    "Provider/@Name": "Provider_Name",
    "Provider/@Guid": "Provider_Guid",
    "EventID": "EventID",
    "Version": "Version",
    "Level": "Level",
    "Task": "Task",
    "Opcode": "Opcode",
    "Keywords": "Keywords",
    "TimeCreated/@SystemTime": "TimeCreated",
    "EventRecordID": "EventRecordID",
    "Execution/@ProcessID": "Execution_ProcessID",
    "Execution/@ThreadID": "Execution_ThreadID",
    "Channel": "Channel",
    "Computer": "Computer",
    "Security/@UserID": "Security_UserID",
}


def unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


def evtx_documents(raw: bytes) -> Iterator[dict[str, Any]]:
    """What PyPI evtx can read; it raises for a record that it cannot, and continues after it."""
    parser = iter(evtx.PyEvtxParser(BytesIO(raw)).records_json())
    while True:
        try:
            record = next(parser)
        except StopIteration:
            return
        except RuntimeError:
            continue
        assert record is not None
        yield json.loads(record["data"])["Event"]


def evtx_network_connections(documents: Iterator[dict[str, Any]]) -> list[Record]:
    """The events 3 among them, in the shape of the truth."""
    return evtx_events(documents, 3)


def evtx_events(documents: Iterator[dict[str, Any]], event_id: int) -> list[Record]:
    """Sysmon's events with a number among them, in the shape of the truth."""
    return [_from_json(event) for event in documents if _is_sysmons(event["System"], event_id)]


def _is_sysmons(system: dict[str, Any], event_id: int) -> bool:
    # A record of which only zeros are left has no provider.
    provider = (system["Provider"] or {}).get("#attributes", {}).get("Name")
    return provider == "Microsoft-Windows-Sysmon" and system["EventID"] in (event_id, {"#text": event_id})


def _from_json(event: dict[str, Any]) -> Record:
    system = {}
    for path, name in SYSTEM.items():
        element, _, attribute = path.partition("/@")
        value: Any = event["System"].get(element)
        if attribute:
            value = value["#attributes"][attribute]
        system[name] = str(value)
    return {"System": system, "EventData": {key: _text(value) for key, value in event["EventData"].items()}}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def python_evtx_documents(path: Path, records: int | None = None) -> Iterator[str]:
    """The XML of each record, or of the first so many, as python-evtx writes it."""
    with Evtx.Evtx.Evtx(str(path)) as log:
        for number, record in enumerate(log.records()):
            if number == records:
                return
            yield record.xml()


def python_evtx_network_connections(documents: Iterator[str]) -> list[Record]:
    """The events 3 among them, in the shape of the truth."""
    return python_evtx_events(documents, 3)


def python_evtx_events(documents: Iterator[str], event_id: int) -> list[Record]:
    """Sysmon's events with a number among them, in the shape of the truth."""
    found = []
    for document in documents:
        event = ElementTree.fromstring(document)
        system = event.find(f"{NAMESPACE}System")
        assert system is not None
        values = {name: _xml_value(system, path) for path, name in SYSTEM.items()}
        if (values["Provider_Name"], values["EventID"]) != ("Microsoft-Windows-Sysmon", str(event_id)):
            continue
        # python-evtx leaves the zone out.
        values["TimeCreated"] = values["TimeCreated"].removesuffix("+00:00")
        data = {item.get("Name", ""): item.text or "" for item in event.iter(f"{NAMESPACE}Data")}
        found.append({"System": values, "EventData": data})
    return found


def _xml_value(system: ElementTree.Element, path: str) -> str:
    element, _, attribute = path.partition("/@")
    node = system.find(NAMESPACE + element)
    if node is None:
        return ""
    return node.get(attribute, "") if attribute else node.text or ""
