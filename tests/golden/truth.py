"""What procwire makes of the ground truth's strings: the documented normalisation, obvious and slow.

Shares nothing with the readers; where it and they differ, one of them is wrong.
"""

from __future__ import annotations

import csv
import gzip
import html
import ipaddress
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Row = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"
EXAMPLE = Path(__file__).parents[2] / "examples" / "sysmon.evtx"
EXAMPLE_TRUTH = DATA / "truth" / "evtx.williballenthin.issue_43.evtx.ndjson.gz"

TEXTS = {
    "Image": "process_name",
    "User": "user_name",
    "Protocol": "network_protocol",
    "SourceHostname": "src_host_name",
    "SourcePortName": "src_port_name",
    "DestinationHostname": "dst_host_name",
    "DestinationPortName": "dst_port_name",
    "RuleName": "rule_name",
}
FLAGS = {
    "Initiated": "network_connection_initiated",
    "SourceIsIpv6": "src_is_ipv6",
    "DestinationIsIpv6": "dst_is_ipv6",
}
NUMBERS = {"ProcessId": "process_id", "SourcePort": "src_port", "DestinationPort": "dst_port"}
ADDRESSES = {"SourceIp": ("src_ip", "src_ip_bytes"), "DestinationIp": ("dst_ip", "dst_ip_bytes")}

SYSTEM_TEXTS = {
    "Provider_Name": "provider_name",
    "Channel": "channel",
    "Computer": "computer_name",
    "Security_UserID": "logger_user_sid",
    "Security_UserId": "logger_user_sid",
}
SYSTEM_NUMBERS = {
    "EventID": "event_id",
    "Version": "event_version",
    "Level": "event_level",
    "Task": "event_task",
    "Opcode": "event_opcode",
    "EventRecordID": "record_id",
    "Execution_ProcessID": "logger_process_id",
    "Execution_ThreadID": "logger_thread_id",
}
# Windows shows some numbers of the System block as words, and winlogbeat 6 keeps only those.
WORDS = {"Info": 0, "Network connection detected (rule: NetworkConnect)": 3}


@dataclass(frozen=True)
class Case:
    """A file of a corpus, and how many events 3 it holds; which they are, if there is a truth."""

    name: str
    path: Path
    events: int
    truth: Path | None
    notes: str
    licence: str

    @property
    def is_archive(self) -> bool:
        return self.name.startswith("json/mordor-whole/")


def cases(corpus: Path) -> list[Case]:
    """Every file that the corpus' manifest lists."""
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = []
    for row in rows:
        truth = corpus / row["truth"] if row.get("truth") else _truth_in_notes(corpus, row)
        events = int(row["event3_records"])
        found.append(Case(row["path"], corpus / row["path"], events, truth, row["notes"], row["licence"]))
    return found


def _truth_in_notes(corpus: Path, row: dict[str, str]) -> Path | None:
    named = re.search(r"truth ?= ?(truth/[\w.-]+?\.ndjson)", row["notes"])
    if named:
        return corpus / named[1]
    derived = re.search(r"truth of (\S+\.evtx)", row["notes"])
    if derived:
        [truth] = (corpus / "truth").glob(f"evtx.*.{derived[1]}.ndjson")
        return truth
    if row["path"].endswith(".derived.syslog"):
        return corpus / "truth/linux.log4shell-azure-syslog.part1.ndjson"
    return None


def records(truth: Path) -> Iterator[dict[str, Any]]:
    """The truth, as it stands."""
    text = gzip.decompress(truth.read_bytes()) if truth.suffix == ".gz" else truth.read_bytes()
    return map(json.loads, text.decode("utf-8").splitlines())


def expected_row(record: dict[str, Any], *, shipped: bool) -> Row:
    """The columns of which the truth says something, as procwire should fill them.

    shipped: the log went through a shipper, which leaves XML's entities in its values, drops some that its
    message text keeps, and writes local times without saying so.
    """
    data = dict(record["EventData"])
    for name, value in record.get("EventDataFromMessage", {}).items():
        if not data.get(name):
            data[name] = value
    if shipped:
        data = {name: html.unescape(value) for name, value in data.items()}
    data = {name: value for name, value in data.items() if value not in ("", "-")}

    row: Row = {
        "event_creation_time": time(data.get("UtcTime")),
        "process_guid": guid(data.get("ProcessGuid")),
    }
    for name, column in TEXTS.items():
        row[column] = data.get(name)
    for name, column in FLAGS.items():
        row[column] = {"true": True, "false": False}[data[name].lower()] if name in data else None
    for name, column in NUMBERS.items():
        row[column] = int(data[name]) if name in data else None
    for name, (column, bytes_column) in ADDRESSES.items():
        row[column], row[bytes_column] = address(data[name]) if name in data else (None, None)
    return row | _expected_system(record["System"], shipped=shipped)


CONTEXT_TEXTS = {
    1: {
        "Image": "process_name",
        "FileVersion": "file_version",
        "Description": "file_description",
        "Product": "file_product",
        "Company": "file_company",
        "OriginalFileName": "file_name_original",
        "CommandLine": "process_command_line",
        "CurrentDirectory": "process_current_directory",
        "User": "user_name",
        "LogonId": "user_logon_id",
        "IntegrityLevel": "process_integrity_level",
        "Hashes": "hash",
        "ParentImage": "process_parent_name",
        "ParentCommandLine": "process_parent_command_line",
        "ParentUser": "process_parent_user_name",
        "RuleName": "rule_name",
    },
    22: {
        "QueryName": "dns_query_name",
        "QueryResults": "dns_query_results",
        "Image": "process_name",
        "User": "user_name",
        "RuleName": "rule_name",
    },
}
CONTEXT_NUMBERS = {
    1: {"ProcessId": "process_id", "TerminalSessionId": "user_session_id", "ParentProcessId": "process_parent_id"},
    22: {"ProcessId": "process_id", "QueryStatus": "dns_query_status"},
}
CONTEXT_GUIDS = {
    1: {
        "ProcessGuid": "process_guid",
        "LogonGuid": "user_logon_guid",
        "ParentProcessGuid": "process_parent_guid",
    },
    22: {"ProcessGuid": "process_guid"},
}


def expected_data(data: dict[str, str], event_id: int) -> Row:
    """The columns of event 1 or 22, from `EventData` as the log has it."""
    data = {name: value for name, value in data.items() if value not in ("", "-")}
    row: Row = {"event_creation_time": time(data.get("UtcTime"))}
    row |= {column: data.get(name) for name, column in CONTEXT_TEXTS[event_id].items()}
    for name, column in CONTEXT_NUMBERS[event_id].items():
        row[column] = int(data[name]) if name in data else None
    row |= {column: guid(data.get(name)) for name, column in CONTEXT_GUIDS[event_id].items()}
    return row


def expected_system(system: dict[str, str]) -> Row:
    """The columns of `System`, of a log that went through no shipper."""
    return _expected_system(system, shipped=False)


def _expected_system(system: dict[str, str], *, shipped: bool) -> Row:
    row: Row = {}
    for name, column in SYSTEM_TEXTS.items():
        if name in system:
            row[column] = system[name]
    for name, column in SYSTEM_NUMBERS.items():
        if name in system:
            row[column] = WORDS[system[name]] if system[name] in WORDS else int(system[name])
    if "Provider_Guid" in system:
        row["provider_guid"] = guid(system["Provider_Guid"])
    if "Keywords" in system:
        row["event_keywords"] = keywords(system["Keywords"])
    if "TimeCreated_SystemTime" in system:
        row["event_recorded_time"] = time(system["TimeCreated_SystemTime"])
    elif "TimeCreated" in system:
        written = system["TimeCreated"]
        row["event_recorded_time"] = None if shipped and not written.endswith("Z") else time(written)
    return row


def time(text: str | None) -> datetime | None:
    """UTC; what is finer than a microsecond is cut off."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?Z?", text)
    assert match is not None, text
    date, clock, fraction = match.groups()
    return datetime.fromisoformat(f"{date}T{clock}.{(fraction or '0')[:6]:0<6}").replace(tzinfo=UTC)


def guid(text: str | None) -> str | None:
    """Upper case, in braces."""
    return None if text is None else "{" + str(uuid.UUID(text)).upper() + "}"


def keywords(text: str) -> str:
    """64 bits in hexadecimal; NXLog writes them as a signed number."""
    return text if text.startswith("0x") else hex(int(text) & (1 << 64) - 1)


def address(text: str) -> tuple[str, bytes | None]:
    """RFC 5952's form, and 16 bytes with IPv4 as ::ffff:a.b.c.d; what is no address stays as it is."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text, None
    mapped = bytes(10) + b"\xff\xff" if found.version == 4 else b""
    return found.compressed, mapped + found.packed


def is_handed_out(packed: bytes) -> bool:
    """Whether an IPv6 address lies in a block in use: ::/8, 2000::/3 or fc00::/6."""
    found = ipaddress.IPv6Address(packed)
    return any(found in ipaddress.IPv6Network(block) for block in ("::/8", "2000::/3", "fc00::/6"))
