"""Write Sysmon for Linux' lines: an event each, as in a syslog file.

The event is its raw XML (outputxml.cpp of Sysmon for Linux): no namespace, `-` for what is empty, GUIDs in lower case,
System's time with nine digits. Before it comes what a syslog daemon writes: local time, machine, `sysmon: `.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import LIVE_SCHEMA, Field, field, fields
from procwire.sinks.cells import Escape, Rows, chunks, replace_all, sysmon_time
from procwire.sinks.forms import IDENT, stamp
from procwire.sinks.kinds import loss_runs
from procwire.sinks.plain import escaped_xml, shown
from procwire.sinks.protocol import Terminal
from procwire.sinks.xml import (
    CONTROL_REFERENCES,
    CONTROLS,
    IMPOSSIBLE,
    escape_xml,
    loss_text,
    system_time,
    uncompressed,
)

__all__ = ["IDENT", "SyslogSink", "event_lines", "syslog_time"]

_EMPTY = "-"
# What Sysmon for Linux writes where a row says nothing: an envelope is never empty.
_PROVIDER = ("Linux-Sysmon", "{ff032593-a8d3-4f13-b0d6-01fc615a0f97}")
_CHANNEL = "Linux-Sysmon/Operational"
_KEYWORDS = "0x8000000000000000"
_EVENT_FIELDS = (field("rule_name"), *(kept for kept in fields("event") if kept.name != "rule_name"))


class SyslogSink:
    """Take batches of `event.LIVE_SCHEMA`; every row becomes a line, see `kinds.events`."""

    def __init__(
        self,
        stream: BinaryIO,
        schema: pa.Schema = LIVE_SCHEMA,
        terminal: Terminal | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        if schema != LIVE_SCHEMA:
            raise ValueError("found another schema, expected event.LIVE_SCHEMA")
        self._stream = stream if terminal is None else shown(stream, escaped_xml)
        self._now = now

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a line per row."""
        start = syslog_time(self._now()) + " "
        for chunk in chunks(batch):
            for is_loss, run in loss_runs(chunk):
                self._stream.write(event_lines(run, is_loss, start, hostname=True))

    def close(self) -> None:
        """Do nothing: syslog has no end mark."""


def syslog_time(time_s: float) -> str:
    """Return `Nov  4 10:00:00`, local time: the form that daemons write and expect."""
    return stamp(time_s, None).rstrip()


def event_lines(batch: pa.RecordBatch, is_loss: bool, start: str, *, hostname: bool) -> bytes | pa.Buffer:
    """Return a line per row, each after `start`, the machine's name (with `hostname`) and the ident."""
    rows = Rows(batch.num_rows)
    rows.literal(start)
    if hostname:
        rows.cell(batch.column("computer_name"), "", " ", "localhost ", _word)
    rows.literal(f"{IDENT}<Event>")
    _system(rows, batch, is_loss)
    rows.literal("<EventData>")
    if is_loss:
        rows.literal('<Data Name="UtcTime">')
        rows.safe_cell(sysmon_time(batch.column("event_creation_time")), "", "", _EMPTY)
        rows.literal('</Data><Data Name="ID">QUEUE</Data><Data Name="Description">')
        rows.cell(loss_text(batch), "", "", _EMPTY)
        rows.literal("</Data>")
    else:
        for kept in _EVENT_FIELDS:
            _data(rows, batch, kept)
    rows.literal("</EventData></Event>\n")
    return rows.joined()


def _system(rows: Rows, batch: pa.RecordBatch, is_loss: bool) -> None:
    def cell(name: str, before: str, after: str, null: str, escape: Escape = escape_xml) -> None:
        rows.literal(before)
        rows.cell(batch.column(name), "", "", null, escape)
        rows.literal(after)

    cell("provider_name", '<System><Provider Name="', '"', _PROVIDER[0])
    cell("provider_guid", ' Guid="', '"/>', _PROVIDER[1], _guid)
    if is_loss:
        rows.literal("<EventID>255</EventID><Version>3</Version><Level>2</Level><Task>255</Task><Opcode>0</Opcode>")
    else:
        rows.literal("<EventID>3</EventID>")
        cell("event_version", "<Version>", "</Version>", "5")
        cell("event_level", "<Level>", "</Level>", "4")
        cell("event_task", "<Task>", "</Task>", "3")
        cell("event_opcode", "<Opcode>", "</Opcode>", "0")
    cell("event_keywords", "<Keywords>", "</Keywords>", _KEYWORDS, _pcdata)
    rows.literal('<TimeCreated SystemTime="')
    times = pc.coalesce(batch.column("event_recorded_time"), batch.column("event_creation_time"))
    rows.safe_cell(system_time(times), "", "", "")
    cell("record_id", '"/><EventRecordID>', "</EventRecordID><Correlation/>", "0")
    cell("logger_process_id", '<Execution ProcessID="', '"', "0")
    cell("logger_thread_id", ' ThreadID="', '"/>', "0")
    cell("channel", "<Channel>", "</Channel>", _CHANNEL, _pcdata)
    cell("computer_name", "<Computer>", "</Computer>", "", _pcdata)
    cell("logger_user_sid", '<Security UserId="', '"/></System>', "0")


def _data(rows: Rows, batch: pa.RecordBatch, kept: Field) -> None:
    column = batch.column(kept.name)
    rows.literal(f'<Data Name="{kept.xml}">')
    if pa.types.is_timestamp(kept.type):
        rows.safe_cell(sysmon_time(column), "", "", _EMPTY)
    elif kept.name in ("src_ip", "dst_ip"):
        rows.cell(uncompressed(column, batch.column(f"{kept.name}_bytes")), "", "", _EMPTY, _pcdata)
    else:
        rows.cell(column, "", "", _EMPTY, _guid if kept.name == "process_guid" else _pcdata)
    rows.literal("</Data>")


def _pcdata(texts: pa.StringArray) -> pa.StringArray:
    """Return text of an element: Sysmon for Linux leaves quotes as they are. A line break would end the line."""
    texts = pc.replace_substring_regex(texts, IMPOSSIBLE, "\ufffd")
    texts = replace_all(texts, "[&<>]", (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")))
    return replace_all(texts, CONTROLS, CONTROL_REFERENCES)


def _guid(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_lower(escape_xml(texts))


def _word(texts: pa.StringArray) -> pa.StringArray:
    """Return a host's name without characters that would end it."""
    return pc.replace_substring_regex(texts, "[^!-~]+", "_")
