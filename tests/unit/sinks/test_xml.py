"""The XML sink: the mission's sample to the letter, and every value kept for an XML parser."""

from __future__ import annotations

import io
from ipaddress import IPv6Address
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_rows import BatchOf, Row, full_row
from procwire.event import SCHEMA
from procwire.sinks.xml import XmlSink

# The mission's sample, less the blanks at its lines' ends and SystemTime's digits below the microsecond.
SAMPLE = """\
<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event">
  <System>
    <Provider Name="Microsoft-Windows-Sysmon" Guid="{5770385F-C22A-43E0-BF4C-06F5698FFBD9}" />
    <EventID>3</EventID>
    <Version>5</Version>
    <Level>4</Level>
    <Task>3</Task>
    <Opcode>0</Opcode>
    <Keywords>0x8000000000000000</Keywords>
    <TimeCreated SystemTime="2018-04-11T05:29:36.333863000Z" />
    <EventRecordID>11750109</EventRecordID>
    <Correlation />
    <Execution ProcessID="2152" ThreadID="3236" />
    <Channel>Microsoft-Windows-Sysmon/Operational</Channel>
    <Computer>DESKTOP-WARDOG</Computer>
    <Security UserID="S-1-5-18" />
  </System>
  <EventData>
    <Data Name="UtcTime">2018-04-11 05:29:35.394</Data>
    <Data Name="ProcessGuid">{A98268C1-957F-5ACD-0000-0010EB030000}</Data>
    <Data Name="ProcessId">4</Data>
    <Data Name="Image">System</Data>
    <Data Name="User">NT AUTHORITY\\SYSTEM</Data>
    <Data Name="Protocol">udp</Data>
    <Data Name="Initiated">false</Data>
    <Data Name="SourceIsIpv6">false</Data>
    <Data Name="SourceIp">192.168.64.255</Data>
    <Data Name="SourceHostname" />
    <Data Name="SourcePort">138</Data>
    <Data Name="SourcePortName">netbios-dgm</Data>
    <Data Name="DestinationIsIpv6">false</Data>
    <Data Name="DestinationIp">192.168.64.135</Data>
    <Data Name="DestinationHostname">DESKTOP-WARDOG.localdomain</Data>
    <Data Name="DestinationPort">138</Data>
    <Data Name="DestinationPortName">netbios-dgm</Data>
  </EventData>
</Event>
"""
NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


def written(batch: pa.RecordBatch) -> str:
    stream = io.BytesIO()
    sink = XmlSink(stream)
    sink.write(batch)
    sink.close()
    return stream.getvalue().decode()


def data(event: ElementTree.Element) -> dict[str, str | None]:
    return {element.attrib["Name"]: element.text for element in event.iter(f"{NAMESPACE}Data")}


def events(batch: pa.RecordBatch) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(written(batch)))


def test_mission_row_gives_the_missions_sample(batch_of: BatchOf) -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<Events>\n'
    assert written(batch_of({}, {})) == head + SAMPLE + SAMPLE + "</Events>\n"


def test_rule_name_comes_first(batch_of: BatchOf) -> None:
    """The form of 18 fields where there is a rule, of 17 where there is none."""
    with_rule, without = events(batch_of({"rule_name": "a & b"}, {}))
    assert list(data(with_rule).items())[:2] == [("RuleName", "a & b"), ("UtcTime", "2018-04-11 05:29:35.394")]
    assert len(data(with_rule)) == 18
    assert "RuleName" not in data(without)


def test_null_parts_of_system_are_left_out(batch_of: BatchOf) -> None:
    """In a batch where some rows have them: elements of one and of two attributes, and texts."""
    bare = dict.fromkeys(name for name in full_row({}) if name.startswith(("provider", "logger", "event_", "record")))
    half, none, whole = events(batch_of({"provider_guid": None, "logger_thread_id": None}, bare, {}))
    tags = [element.tag.removeprefix(NAMESPACE) for element in none[0]]
    assert tags == ["EventID", "Correlation", "Channel", "Computer"]
    assert half[0][0].attrib == {"Name": "Microsoft-Windows-Sysmon"}
    assert [element.attrib for element in half.iter(f"{NAMESPACE}Execution")] == [{"ProcessID": "2152"}]
    assert len(whole[0]) == 14


def test_null_fields_are_empty_elements(batch_of: BatchOf) -> None:
    nothing = dict.fromkeys(SCHEMA.names)
    (event,) = events(batch_of(nothing))
    assert set(data(event).values()) == {None}
    assert len(data(event)) == 17


@pytest.mark.parametrize(
    ("stored", "sysmon"),
    [
        ("fe80::90e:17af:263c:5209", "fe80:0:0:0:90e:17af:263c:5209"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("::", "0:0:0:0:0:0:0:0"),
        ("::ffff:10.0.2.15", "0:0:0:0:0:ffff:a00:20f"),
        ("10.0.2.15", "10.0.2.15"),
        ("no address: at all", "no address: at all"),
        (None, None),
    ],
)
def test_addresses_have_sysmons_form(batch_of: BatchOf, stored: str | None, sysmon: str | None) -> None:
    """IPv6 uncompressed; what is no address as it is. Beside other rows, and alone."""
    for rows in ([{"src_ip": stored}], [{"src_ip": "2001:db8::2"}, {"src_ip": stored}, {"src_ip": None}]):
        found = [data(event)["SourceIp"] for event in events(batch_of(*rows))]
        assert found[len(rows) // 2] == sysmon


@given(st.lists(st.ip_addresses(v=6), min_size=1))
def test_any_ipv6_address_keeps_its_value(addresses: list[IPv6Address]) -> None:
    rows = [full_row({"dst_ip": str(address)}) for address in addresses]
    found = [data(event)["DestinationIp"] for event in events(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))]
    groups = [":".join(f"{int(group, 16):x}" for group in address.exploded.split(":")) for address in addresses]
    assert found == groups


possible = st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(0x20)), "\ufffe", "\uffff"])
text = st.text(possible | st.sampled_from("\t\n\r&<>\"'\x1b]]>"), max_size=12)


@given(st.lists(st.tuples(text, text), min_size=1))
def test_any_text_parses_back(rows: list[tuple[str, str]]) -> None:
    """In an element and in an attribute; what XML 1.0 cannot hold comes back as U+FFFD."""
    changes: list[Row] = [{"user_name": user or None, "logger_user_sid": sid or None} for user, sid in rows]
    batch = pa.RecordBatch.from_pylist([full_row(change) for change in changes], schema=SCHEMA)
    for event, (user, sid) in zip(events(batch), rows, strict=True):
        assert (data(event)["User"] or "") == user.replace("\x1b", "\ufffd")
        found = [element.attrib["UserID"] for element in event.iter(f"{NAMESPACE}Security")]
        assert found == ([sid.replace("\x1b", "\ufffd")] if sid else [])


def test_controls_never_stand_raw(batch_of: BatchOf) -> None:
    """CSI as one character (C1) is a reference, not a command to the terminal."""
    assert '<Data Name="User">a&#155;31m\ufffdb</Data>' in written(batch_of({"user_name": "a\x9b31m\x1bb"}))
