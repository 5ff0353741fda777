"""Winlogbeat 7's layout, converted from real records that other shippers wrote.

No permissively licensed sample of that layout was found; each value is the real record's, at the place where
Winlogbeat 7 puts it. Names that only the collector knows (its agent's ids) are made up.
"""

from __future__ import annotations

import json
import re
from typing import Any

Record = dict[str, Any]

_MESSAGE_FIELD = re.compile(r"^([A-Z][A-Za-z0-9]+): ?(.*?)\r?$", re.MULTILINE)


def from_winlogbeat6(record: Record) -> Record:
    """A record of Winlogbeat 6."""
    system = {
        "channel": record["log_name"],
        "computer_name": record["computer_name"],
        "event_data": record["event_data"],
        "event_id": str(record["event_id"]),
        "opcode": record["opcode"],
        "process": {"pid": record["process_id"], "thread": {"id": record["thread_id"]}},
        "provider_guid": record["provider_guid"],
        "provider_name": record["source_name"],
        "record_id": int(record["record_number"]),
        "task": record["task"],
        "user": record["user"],
        "version": record["version"],
    }
    return _document(record["@timestamp"], record["level"], record["host"]["name"], record["message"], system)


def from_nxlog(record: Record) -> Record:
    """Convert a Sysmon record of NXLog, whose message has the fields under their own names."""
    system = {
        "channel": record["Channel"],
        "computer_name": record["Hostname"],
        # Winlogbeat omits empty fields.
        "event_data": {name: value for name, value in _MESSAGE_FIELD.findall(record["Message"]) if value},
        "event_id": str(record["EventID"]),
        "opcode": record["Opcode"],
        "process": {"pid": record["ExecutionProcessID"], "thread": {"id": record["ThreadID"]}},
        "provider_guid": record["ProviderGuid"],
        "provider_name": record["SourceName"],
        "record_id": record["RecordNumber"],
        "task": record["Category"],
        "user": {
            "identifier": record["UserID"],
            "name": record["AccountName"],
            "domain": record["Domain"],
            "type": record["AccountType"],
        },
        "version": record["Version"],
    }
    message = record["Message"].replace("\r\n", "\n")
    return _document(record["@timestamp"], "information", record["host"], message, system)


def _document(timestamp: str, level: str, collector: str, message: str, system: Record) -> Record:
    return {
        "@timestamp": timestamp,
        "@metadata": {"beat": "winlogbeat", "type": "_doc", "version": "7.17.9"},
        "winlog": {"api": "wineventlog", **system},
        "event": {
            "kind": "event",
            "code": system["event_id"],
            "provider": system["provider_name"],
            "action": system["task"],
            "created": timestamp,
        },
        "host": {"name": system["computer_name"]},
        "log": {"level": level.lower()},
        "message": message,
        "ecs": {"version": "1.12.0"},
        "agent": {
            "type": "winlogbeat",
            "version": "7.17.9",
            "hostname": collector,
            "ephemeral_id": "8a2dcd1b-4ad3-4a3f-a2b8-4d0e31a3a2f5",
            "id": "f1a0b7c2-6a54-4b0c-9f1a-5b6c0d3e9f21",
            "name": collector,
        },
    }


def line(document: Record) -> str:
    """Return the document as Winlogbeat writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
