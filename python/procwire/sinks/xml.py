"""Write event XML, in the exact form of the mission's sample, wrapped in one `<Events>`.

Reading it back returns the same table: a null field of the event is an empty element, a null part of System is left
out. Below the microsecond SystemTime's digits are 0. UtcTime has three digits, as Sysmon writes it, and six only where
the event has them.
"""

from __future__ import annotations

from functools import reduce
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from procwire.event import CONNECTION, EVENTS, LIVE_SCHEMA, SCHEMA, Event, Field, fields
from procwire.sinks.cells import Rows, chunks, exact_time, hex_text, replace_all, with_t
from procwire.sinks.forms import NAMESPACE, SYSTEM_ORDER, XML_HEADER
from procwire.sinks.forms import loss_text as loss_text_of
from procwire.sinks.kinds import loss_runs
from procwire.sinks.plain import escaped_xml, shown
from procwire.sinks.protocol import Terminal

__all__ = [
    "CONTROLS",
    "CONTROL_REFERENCES",
    "IMPOSSIBLE",
    "XmlSink",
    "escape_xml",
    "loss_text",
    "system_time",
    "uncompressed",
]

_SYSTEM_TEXTS = {field.xml: field.name for field in fields("system") if "/" not in field.xml}
# What XML 1.0 cannot hold at all.
IMPOSSIBLE = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x{fffe}\\x{ffff}]"
# White space as references, since a parser would normalise it; DEL and C1 because terminals obey them.
CONTROLS = "[\\t\\n\\r\\x7f-\\x{9f}]"
CONTROL_REFERENCES = [(chr(code), f"&#{code};") for code in (9, 10, 13, *range(0x7F, 0xA0))]
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"))


class XmlSink:
    """Take batches of an event with every stored column, under the standard names; a recording's too.

    For a recording see `kinds.events`.
    """

    def __init__(self, stream: BinaryIO, schema: pa.Schema = SCHEMA, terminal: Terminal | None = None) -> None:
        event = next((event for event in EVENTS if schema == event.schema), None)
        if event is None and schema != LIVE_SCHEMA:
            raise ValueError("found another schema, expected an event's or event.LIVE_SCHEMA")
        self._event = event or CONNECTION
        self._stream = stream if terminal is None else shown(stream, escaped_xml)
        stream.write(XML_HEADER.encode())

    def write(self, batch: pa.RecordBatch) -> None:
        """Write an `<Event>` per row."""
        for chunk in chunks(batch):
            for is_loss, run in loss_runs(chunk):
                self._stream.write(_events(self._event, _as_error(run) if is_loss else run, is_loss))

    def close(self) -> None:
        """Close the root element."""
        self._stream.write(b"</Events>\n")


def _events(event: Event, batch: pa.RecordBatch, is_loss: bool) -> bytes | pa.Buffer:
    rows = Rows(batch.num_rows)
    rows.literal(f'<Event xmlns="{NAMESPACE}">\n  <System>\n')
    for element in SYSTEM_ORDER:
        _system(rows, batch, element, event)
    rows.literal("  </System>\n  <EventData>\n")
    if is_loss:
        _error_data(rows, batch)
    else:
        _event_data(rows, batch, event)
    rows.literal("  </EventData>\n</Event>\n")
    return rows.joined()


def loss_text(losses: pa.RecordBatch) -> pa.StringArray:
    """Return `forms.loss_text` of each row."""
    rows = zip(losses.column("events_lost").to_pylist(), losses.column("attribution").to_pylist(), strict=True)
    return pa.array(
        [None if count is None else loss_text_of(count, attribution) for count, attribution in rows], pa.string()
    )


def _as_error(losses: pa.RecordBatch) -> pa.RecordBatch:
    """Return the losses with the System of Sysmon's Error event."""
    for name, value in (("event_id", 255), ("event_version", 3), ("event_level", 2), ("event_task", 255)):
        index = losses.schema.get_field_index(name)
        losses = losses.set_column(index, losses.schema.field(index), pa.array([value] * len(losses), pa.int32()))
    return losses


def _error_data(rows: Rows, losses: pa.RecordBatch) -> None:
    rows.safe_cell(exact_time(losses.column("event_creation_time")), '    <Data Name="UtcTime">', "</Data>\n", "")
    rows.literal('    <Data Name="ID">QUEUE</Data>\n')
    rows.cell(loss_text(losses), '    <Data Name="Description">', "</Data>\n", "")


def _event_data(rows: Rows, batch: pa.RecordBatch, event: Event) -> None:
    # RuleName comes first, and not at all where it is null: the mission's form, of schemas before 4.1.
    rows.cell(batch.column("rule_name"), '    <Data Name="RuleName">', "</Data>\n", "", escape_xml)
    for field in event.fields:
        if field.group == "event" and field.name != "rule_name":
            start = f'    <Data Name="{field.xml}"'
            _data(rows, batch, field, (f"{start}>", "</Data>\n", f"{start} />\n"))


def _data(rows: Rows, batch: pa.RecordBatch, field: Field, around: tuple[str, str, str]) -> None:
    column = batch.column(field.name)
    if pa.types.is_timestamp(field.type):
        rows.safe_cell(exact_time(column), *around)
    elif field.name in ("src_ip", "dst_ip"):
        rows.cell(uncompressed(column, batch.column(f"{field.name}_bytes")), *around, escape_xml)
    else:
        rows.cell(column, *around, escape_xml)


def _system(rows: Rows, batch: pa.RecordBatch, element: str, event: Event) -> None:
    if element == "Correlation":
        rows.literal("    <Correlation />\n")
    elif element in _SYSTEM_TEXTS:
        # Without EventID a reader would not recognise the event.
        null = f"    <EventID>{event.id}</EventID>\n" if element == "EventID" else ""
        column = batch.column(_SYSTEM_TEXTS[element])
        rows.cell(column, f"    <{element}>", f"</{element}>\n", null, escape_xml)
    else:
        _attributes(rows, batch, element)


def _attributes(rows: Rows, batch: pa.RecordBatch, element: str) -> None:
    parts = [field for field in fields("system") if field.xml.startswith(f"{element}/@")]
    present = reduce(pc.or_, (pc.is_valid(batch.column(field.name)) for field in parts))
    _where(rows, present, f"    <{element}")
    for field in parts:
        around = f' {field.xml.partition("@")[2]}="', '"', ""
        column = batch.column(field.name)
        if pa.types.is_timestamp(field.type):
            rows.safe_cell(system_time(column), *around)
        else:
            rows.cell(column, *around, escape_xml)
    _where(rows, present, " />\n")


def _where(rows: Rows, present: pa.BooleanArray, text: str) -> None:
    if pc.all(present).as_py():
        rows.literal(text)
    else:
        rows.texts(pc.if_else(present, text, ""))


def system_time(times: pa.Array) -> pa.StringArray:
    """Return times as in TimeCreated: `2018-04-11T05:29:36.333863000Z`."""
    naive = times.cast(pa.timestamp("us")).cast(pa.string())
    return pc.binary_join_element_wise(with_t(naive), "000Z", "")


def uncompressed(texts: pa.StringArray, addresses: pa.BinaryArray) -> pa.StringArray:
    """Return IPv6 with all its eight groups, as Sysmon writes it; any other text stays as it is."""
    ipv6 = pc.fill_null(pc.and_(pc.match_substring(texts, ":"), pc.is_valid(addresses)), False)
    if not pc.any(ipv6).as_py():
        return texts
    distinct = addresses.filter(ipv6).dictionary_encode()
    digits = hex_text(distinct.dictionary)
    groups = [_group(digits, 4 * index) for index in range(8)]
    return pc.replace_with_mask(texts, ipv6, pc.binary_join_element_wise(*groups, ":").take(distinct.indices))


def _group(digits: pa.StringArray, start: int) -> pa.StringArray:
    group = pc.utf8_ltrim(pc.utf8_lower(pc.utf8_slice_codeunits(digits, start, start + 4)), "0")
    return pc.if_else(pc.equal(group, ""), "0", group)


def escape_xml(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts for an element or an attribute; characters that XML 1.0 cannot hold become U+FFFD."""
    texts = pc.replace_substring_regex(texts, IMPOSSIBLE, "\ufffd")
    texts = replace_all(texts, '[&<>"]', _ENTITIES)
    return replace_all(texts, CONTROLS, CONTROL_REFERENCES)
