"""Map Sigma's fields to columns, and the words for their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from procwire.event import FIELDS, LIVE_FIELDS
from procwire.sigma.problems import Unusable
from procwire.words import nearest

__all__ = [
    "ADDRESS_BYTES",
    "CATEGORIES",
    "DNS_CATEGORIES",
    "DNS_COLUMNS",
    "KEYWORD_COLUMNS",
    "OTHER_EVENTS_FIELDS",
    "PROCESS_COLUMNS",
    "Column",
    "Kind",
    "column_of",
    "kind_of",
]

Kind = Literal["text", "number", "flag", "time", "address", "bytes"]

CATEGORIES = ("network_connection", "firewall", "dns_query", "dns", "network")
"""Categories of log sources that connections answer; of `network`, its services `connection` and `dns`."""

ADDRESS_BYTES: Mapping[str, str] = {"src_ip": "src_ip_bytes", "dst_ip": "dst_ip_bytes"}
"""Maps address columns to the columns with their 16 bytes."""

KEYWORD_COLUMNS = (
    "process_name", "user_name", "network_protocol", "src_ip", "src_host_name", "src_port_name", "dst_ip",
    "dst_host_name", "dst_port_name", "rule_name", "computer_name",
)  # fmt: skip
"""The event's texts, in which words without a field are searched."""

PROCESS_COLUMNS = frozenset((
    "process_command_line", "process_parent_name", "process_parent_command_line", "process_parent_guid",
    "process_parent_id", "process_parent_user_name", "process_current_directory", "process_integrity_level",
    "file_name_original", "file_company", "file_description", "file_product", "file_version", "hash",
    "user_logon_guid", "user_logon_id", "user_session_id",
))  # fmt: skip
"""Columns that event 3 lacks: they come from the process's creation (event 1), or with a recording."""

DNS_COLUMNS = frozenset(("dns_query_name", "dns_query_results", "dns_query_status"))
"""Columns of event 22."""

OTHER_EVENTS_FIELDS = frozenset((
    "TargetFilename", "CreationUtcTime", "PreviousCreationUtcTime", "ImageLoaded", "Signed", "Signature",
    "SignatureStatus", "SourceImage", "TargetImage", "SourceProcessGuid", "TargetProcessGuid", "SourceProcessGUID",
    "TargetProcessGUID", "SourceProcessId", "TargetProcessId", "NewThreadId", "StartAddress", "StartModule",
    "StartFunction", "SourceUser", "TargetUser", "SourceThreadId", "GrantedAccess", "CallTrace", "Device", "EventType",
    "TargetObject", "Details", "NewName", "Hash", "Contents", "PipeName", "Operation", "EventNamespace", "Name",
    "Query", "Type", "Destination", "Consumer", "Filter", "IsExecutable", "Archived", "Session", "ClientInfo", "State",
    "SchemaVersion", "Configuration", "ConfigurationFileHash", "ID",
))  # fmt: skip
"""Fields of Sysmon's events that have no column here."""

DNS_CATEGORIES = ("dns", "dns_query")

_OTHER_NUMBERS = ("user_session_id", "dns_query_status")


@dataclass(frozen=True, slots=True)
class Column:
    """Describe a column: its kind, and for fields with other names for its values, the values that a word stands for.

    only_words: the field has no other values.
    """

    name: str
    kind: Kind
    words: Mapping[str, tuple[str | bool, ...]] = field(default_factory=dict)
    only_words: bool = False


_KINDS: Mapping[pa.DataType, Kind] = {pa.string(): "text", pa.int32(): "number", pa.int64(): "number",
                                      pa.bool_(): "flag", pa.timestamp("us", tz="UTC"): "time"}  # fmt: skip
_PROTOCOLS = {"6": ("tcp",), "17": ("udp",), "1": ("icmp",)}
_DIRECTIONS: Mapping[str, tuple[bool, ...]] = {
    "outbound": (True,), "egress": (True,), "%%14593": (True,),
    "inbound": (False,), "ingress": (False,), "%%14592": (False,),
}  # fmt: skip
_MADE, _FAILED = ("connection", "existing"), ("attempt",)
_ACTIONS = dict.fromkeys(
    ("allow", "allowed", "accept", "accepted", "pass", "passed", "permit", "permitted", "forward", "forwarded"), _MADE
) | (dict.fromkeys(("deny", "denied", "block", "blocked", "drop", "dropped", "reject", "rejected"), _FAILED))
_WORDS: Mapping[str, Mapping[str, tuple[str | bool, ...]]] = {
    "Direction": _DIRECTIONS, "network.direction": _DIRECTIONS, "action": _ACTIONS, "event.action": _ACTIONS,
    "network.type": {"ipv4": (False,), "ipv6": (True,)},
}  # fmt: skip

# Names other than Sysmon's: from Sigma's taxonomy, the Windows Filtering Platform, and ECS.
_ALIASES = {
    "ComputerName": "computer_name", "Hostname": "computer_name", "EventLog": "channel",
    "Provider_Name": "provider_name",
    "ProcessName": "process_name", "ProcessPath": "process_name", "UserName": "user_name",
    "Application": "process_name", "SourceAddress": "src_ip", "DestAddress": "dst_ip", "DestPort": "dst_port",
    "Direction": "network_connection_initiated", "DstIp": "dst_ip", "DstPort": "dst_port", "SrcIp": "src_ip",
    "SrcPort": "src_port", "DestinationAddress": "dst_ip",
    "src_ip": "src_ip", "src_port": "src_port", "dst_ip": "dst_ip", "dst_port": "dst_port", "action": "record_kind",
    "protocol": "network_protocol", "username": "user_name", "src_host": "src_host_name", "dst_host": "dst_host_name",
    "source.ip": "src_ip", "source.port": "src_port", "source.domain": "src_host_name", "source.address": "src_ip",
    "destination.ip": "dst_ip", "destination.port": "dst_port", "destination.domain": "dst_host_name",
    "destination.address": "dst_ip", "network.transport": "network_protocol",
    "network.direction": "network_connection_initiated", "event.action": "record_kind", "event.code": "event_id",
    "host.name": "computer_name", "host.hostname": "computer_name", "user.name": "user_name",
    "process.executable": "process_name", "process.pid": "process_id", "process.entity_id": "process_guid",
    "process.command_line": "process_command_line", "process.parent.executable": "process_parent_name",
    "process.parent.command_line": "process_parent_command_line", "process.parent.pid": "process_parent_id",
    "ParentCommandLine": "process_parent_command_line", "CurrentDirectory": "process_current_directory",
    "IntegrityLevel": "process_integrity_level", "OriginalFileName": "file_name_original", "Company": "file_company",
    "Description": "file_description", "Product": "file_product", "FileVersion": "file_version", "Hashes": "hash",
    "ParentUser": "process_parent_user_name", "LogonGuid": "user_logon_guid", "LogonId": "user_logon_id",
    "TerminalSessionId": "user_session_id",
    "QueryName": "dns_query_name", "QueryResults": "dns_query_results", "QueryStatus": "dns_query_status",
    "query": "dns_query_name", "dns.question.name": "dns_query_name", "answer": "dns_query_results",
    "dns.answers.data": "dns_query_results", "network.type": "dst_is_ipv6",
}  # fmt: skip
_SYSMON = {field.sysmon: field.name for field in (*FIELDS, *LIVE_FIELDS) if field.group not in ("provenance", "rules")}
_COLUMNS: Mapping[str, str] = _SYSMON | _ALIASES
_ANY_CASE = {name.lower(): column for name, column in _COLUMNS.items()}
_EVENT_KINDS = {field.name: _KINDS[field.type] for field in (*FIELDS, *LIVE_FIELDS) if field.type in _KINDS}


def kind_of(column: str) -> Kind:
    """Return the kind of values in a column of `connections` or `enriched`."""
    if column in ADDRESS_BYTES:
        return "address"
    if column in ADDRESS_BYTES.values():
        return "bytes"
    return "number" if column in _OTHER_NUMBERS else _EVENT_KINDS.get(column, "text")


def column_of(name: str) -> Column:
    """Return the column for a field. Raises Unusable if there is none."""
    column = _COLUMNS.get(name) or _ANY_CASE.get(name.lower())
    if column is None:
        near = nearest(name, _COLUMNS)
        hint = f"; did you mean {near}?" if near else ""
        raise Unusable(f"found field {name}, which connections do not have{hint}")
    words = _WORDS.get(name, _PROTOCOLS if column == "network_protocol" else {})
    return Column(column, kind_of(column), words, only_words=name in _WORDS)
