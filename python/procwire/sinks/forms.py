"""Define the parts of a line of each text format, for the core to write in one pass.

The sinks of batches (ndjson, csv, xml, syslog) write the same; tests/unit/sinks/test_lines.py compares the two. Uses no
Arrow, so that a recording of lines need not import it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from procwire.event import Field, fields
from procwire.sinks.formats import FORMATS

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = [
    "DESCRIPTION",
    "IDENT",
    "LINE_WAYS",
    "NAMESPACE",
    "STAMP",
    "SYSMON_WAYS",
    "SYSTEM_ORDER",
    "XML_HEADER",
    "Part",
    "header",
    "line_form",
    "loss_form",
    "loss_text",
    "stamp",
]

Part: TypeAlias = str | tuple[str, str, str, str, str]
"""A text; or a column: its name, what stands before and behind its value, what in place of null, and the style."""

LINE_WAYS = tuple(each.name for each in FORMATS if each.core_lines)
"""The formats that the core writes."""
SYSMON_WAYS = tuple(each.name for each in FORMATS if each.sysmon_events)
"""Those among them that hold Sysmon's events, whole: connections, and losses as its Error event."""
STAMP = "stamp"
"""What a syslog daemon writes in front of a line, as a column."""
DESCRIPTION = "description"
"""What `loss_text` says, as a column."""
IDENT = "sysmon: "
NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
XML_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n<Events>\n'
SYSTEM_ORDER = (
    "Provider", "EventID", "Version", "Level", "Task", "Opcode", "Keywords", "TimeCreated", "EventRecordID",
    "Correlation", "Execution", "Channel", "Computer", "Security",
)  # fmt: skip
"""The elements of an event's System."""

_SPARSE_GROUPS = ("live", "provenance", "rules")
_TIMES = ("event_creation_time", "event_recorded_time")
_ADDRESSES = ("src_ip", "dst_ip")
_JSON_COLUMNS = ("process_ancestry",)
_EMPTY = "-"


def line_form(format: str, kept: Sequence[Field], names: Names) -> list[Part]:
    """Return the form of a connection's line; xml and syslog have all fields of an event, whatever is `kept`."""
    if format == "ndjson":
        return _ndjson(kept, names)
    if format == "csv":
        return _csv(kept)
    return _xml(is_loss=False) if format == "xml" else _syslog(is_loss=False)


def loss_form(format: str, kept: Sequence[Field], names: Names) -> list[Part]:
    """Return the form of a line that reports a loss."""
    if format in SYSMON_WAYS:
        return _xml(is_loss=True) if format == "xml" else _syslog(is_loss=True)
    return line_form(format, kept, names)


def header(format: str, columns: Sequence[str]) -> str:
    """Return the text before the first line."""
    if format == "xml":
        return XML_HEADER
    return ",".join(columns) + "\r\n" if format in ("csv", "csv-safe") else ""


def loss_text(events_lost: int, attribution: str | None) -> str:
    """Return the text of Sysmon's Error event for events that it lost, and ours for those without their process."""
    what = (
        "Events dropped from driver queue" if attribution is None else f"Events without their process ({attribution})"
    )
    return f"{what}: NetworkConnect:{events_lost}"


def stamp(time_s: float, computer_name: str | None) -> str:
    """Return the prefix of a line, `Nov  4 10:00:00 `; with `computer_name` also the machine.

    It is local time, as daemons write and expect it.
    """
    start = time.strftime("%b %e %H:%M:%S", time.localtime(time_s)) + " "
    return start if computer_name is None else start + re.sub("[^!-~]+", "_", computer_name) + " "


def _style(field: Field, format: str) -> str:
    return f"{format}-time" if field.name in _TIMES else format


def _ndjson(kept: Sequence[Field], names: Names) -> list[Part]:
    parts: list[Part] = []
    for index, field in enumerate(kept):
        key = f'"{field.named(names)}":'
        style = "json-value" if field.name in _JSON_COLUMNS else _style(field, "json")
        # The first is always present, so that each other has a comma before it.
        if index > 0 and field.group in _SPARSE_GROUPS:
            parts.append((field.name, f",{key}", "", "", style))
        else:
            parts += [("," if index else "{") + key, (field.name, "", "", "null", style)]
    return [*parts, "}\n"]


def _csv(kept: Sequence[Field]) -> list[Part]:
    parts: list[Part] = []
    for index, field in enumerate(kept):
        parts += ["," if index else "", (field.name, "", "", "", _style(field, "csv"))]
    return [*parts, "\r\n"]


def _event_fields() -> list[Field]:
    """Return an event's own fields, RuleName first."""
    found = fields("event")
    return [*(field for field in found if field.name == "rule_name"),
            *(field for field in found if field.name != "rule_name")]  # fmt: skip


def _xml(*, is_loss: bool) -> list[Part]:
    parts: list[Part] = [f'<Event xmlns="{NAMESPACE}">\n  <System>\n']
    for element in SYSTEM_ORDER:
        parts += _xml_system(element)
    parts.append("  </System>\n  <EventData>\n")
    if is_loss:
        parts += [
            ("event_creation_time", '    <Data Name="UtcTime">', "</Data>\n", "", "xml-time"),
            '    <Data Name="ID">QUEUE</Data>\n',
            (DESCRIPTION, '    <Data Name="Description">', "</Data>\n", "", "xml"),
        ]
    else:
        for field in _event_fields():
            start = f'    <Data Name="{field.xml}"'
            null = "" if field.name == "rule_name" else f"{start} />\n"
            style = "xml-address" if field.name in _ADDRESSES else _style(field, "xml")
            parts.append((field.name, f"{start}>", "</Data>\n", null, style))
    return [*parts, "  </EventData>\n</Event>\n"]


def _xml_system(element: str) -> list[Part]:
    if element == "Correlation":
        return ["    <Correlation />\n"]
    for field in fields("system"):
        if field.xml == element:
            return [(field.name, f"    <{element}>", f"</{element}>\n", "", "xml")]
    # A recorder has all of these: its events' envelope is never empty.
    parts: list[Part] = [f"    <{element}"]
    for field in fields("system"):
        if field.xml.startswith(f"{element}/@"):
            style = "system-time" if field.name in _TIMES else "xml"
            parts.append((field.name, f' {field.xml.partition("@")[2]}="', '"', "", style))
    return [*parts, " />\n"]


def _syslog(*, is_loss: bool) -> list[Part]:
    parts: list[Part] = [
        (STAMP, "", "", "", "plain"),
        f"{IDENT}<Event>",
        *_syslog_system(is_loss=is_loss),
        "<EventData>",
    ]
    if is_loss:
        parts += [
            '<Data Name="UtcTime">',
            ("event_creation_time", "", "", _EMPTY, "sysmon-time"),
            '</Data><Data Name="ID">QUEUE</Data><Data Name="Description">',
            (DESCRIPTION, "", "", _EMPTY, "pcdata"),
            "</Data>",
        ]
    else:
        for field in _event_fields():
            parts += [f'<Data Name="{field.xml}">', (field.name, "", "", _EMPTY, _syslog_style(field)), "</Data>"]
    return [*parts, "</EventData></Event>\n"]


def _syslog_style(field: Field) -> str:
    if field.name in _TIMES:
        return "sysmon-time"
    if field.name in _ADDRESSES:
        return "pcdata-address"
    return "guid" if field.name == "process_guid" else "pcdata"


def _syslog_system(*, is_loss: bool) -> list[Part]:
    numbers: list[Part] = [
        "<EventID>255</EventID><Version>3</Version><Level>2</Level><Task>255</Task><Opcode>0</Opcode>"
    ]
    if not is_loss:
        numbers = [
            "<EventID>3</EventID>",
            *[(f"event_{name.lower()}", f"<{name}>", f"</{name}>", "", "pcdata")
              for name in ("Version", "Level", "Task", "Opcode")],
        ]  # fmt: skip
    return [
        ("provider_name", '<System><Provider Name="', '"', "", "xml"),
        ("provider_guid", ' Guid="', '"/>', "", "guid"),
        *numbers,
        ("event_keywords", "<Keywords>", "</Keywords>", "", "pcdata"),
        ("event_recorded_time", '<TimeCreated SystemTime="', "", "", "system-time"),
        ("record_id", '"/><EventRecordID>', "</EventRecordID><Correlation/>", "", "pcdata"),
        ("logger_process_id", '<Execution ProcessID="', '"', "", "pcdata"),
        ("logger_thread_id", ' ThreadID="', '"/>', "", "pcdata"),
        ("channel", "<Channel>", "</Channel>", "", "pcdata"),
        ("computer_name", "<Computer>", "</Computer>", "", "pcdata"),
        ("logger_user_sid", '<Security UserId="', '"/></System>', "", "xml"),
    ]
