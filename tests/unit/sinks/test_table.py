"""The table sink: what a person sees, at two widths, and what a terminal never gets."""

from __future__ import annotations

import io
import re

import pyarrow as pa
import pytest
from rich.cells import cell_len

from event_rows import BatchOf, Row
from procwire.sinks import CONNECTION_COLUMNS, Terminal
from procwire.sinks.layout import shorten, shorten_middle
from procwire.sinks.table import TableSink

OUT: Row = {
    "process_name": "C:\\Windows\\System32\\svchost.exe",
    "process_id": 1476,
    "user_name": "NT AUTHORITY\\NETWORK SERVICE",
    "network_protocol": "tcp",
    "network_connection_initiated": True,
    "src_ip": "fe80::90e:17af:263c:5209",
    "src_port": 49724,
    "src_port_name": None,
    "dst_ip": "2001:db8::2",
    "dst_port": 443,
    "dst_port_name": "https",
    "dst_host_name": None,
}


def written(batch: pa.RecordBatch, terminal: Terminal | None) -> str:
    stream = io.BytesIO()
    sink = TableSink(stream, batch.schema, terminal)
    sink.write(batch)
    sink.close()
    return stream.getvalue().decode()


def connections(batch: pa.RecordBatch, width: int, *, colours: bool = False) -> str:
    return written(batch.select(list(CONNECTION_COLUMNS)), Terminal(width, colours))


def test_wide_table_is_golden(batch_of: BatchOf) -> None:
    assert connections(batch_of({}, OUT), 160) == (
        "TIME (UTC)               PROCESS                    USER                  PROTO  DIR    "
        "SOURCE                         DESTINATION\n"
        "2018-04-11 05:29:35.394  System 4                   NT AUTHORITY\\SYSTEM   udp    ← in   "
        "192.168.64.255:138 (netbios-…  192.168.64.135:138 DESKTOP-WARDOG.locald…\n"
        "2018-04-11 05:29:35.394  svchost.exe 1476           NT…\\NETWORK SERVICE   tcp    → out  "
        "[fe80::90e:17af:263c:…]:49724  [2001:db8::2]:443 (https)\n"
    )


def test_narrow_table_is_golden(batch_of: BatchOf) -> None:
    assert connections(batch_of({}, OUT), 100) == (
        "TIME (UTC)     PROCESS          USER       PROTO DIR   SOURCE                DESTINATION\n"
        "04-11 05:29:35 System 4         SYSTEM     udp   ← in  192.168.64.255:138    192.168.64.135:138 DES…\n"
        "04-11 05:29:35 svchost.exe 1476 NETWORK S… tcp   → out [fe80::90e:17…]:49724 [2001:db8::2]:443 (htt…\n"
    )


@pytest.mark.parametrize("width", [90, 100, 119, 120, 160, 237])
def test_lines_keep_within_the_width(batch_of: BatchOf, width: int) -> None:
    """With wide characters (two cells each) and long values in every column."""
    long: Row = dict.fromkeys(
        ("process_name", "user_name", "network_protocol", "src_ip", "dst_host_name"), "漢字é" * 40
    )
    lines = connections(batch_of({}, OUT, long), width).splitlines()
    assert len(lines) == 4
    assert max(cell_len(line) for line in lines) <= width


def test_nulls_are_dashes(batch_of: BatchOf) -> None:
    nothing = dict.fromkeys(CONNECTION_COLUMNS)
    line = connections(batch_of(nothing), 160).splitlines()[1]
    assert line.split() == ["-"] * 7


def test_header_stands_once(batch_of: BatchOf) -> None:
    stream = io.BytesIO()
    batch = batch_of({}).select(list(CONNECTION_COLUMNS))
    sink = TableSink(stream, batch.schema, Terminal(100))
    sink.write(batch)
    sink.write(batch)
    assert stream.getvalue().decode().count("PROCESS") == 1


@pytest.mark.parametrize("colours", [False, True])
def test_log_values_cannot_drive_the_terminal(batch_of: BatchOf, colours: bool) -> None:
    """ESC, CSI, line breaks, bells and right-to-left overrides in every text; the table's own colours remain."""
    evil = "\x1b[2J\x9b2J\r\n\x07\u202eexe.gpj"
    row: Row = {name: evil for name in CONNECTION_COLUMNS if name.endswith(("_name", "_ip", "_protocol"))}
    for shown in (connections(batch_of(row), 200, colours=colours), written(batch_of(row), Terminal(400, colours))):
        rest = re.sub(r"\x1b\[[0-9;]*m", "", shown) if colours else shown
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rest)
        assert rest.count("\n") == 2


def test_colours_only_where_asked(batch_of: BatchOf) -> None:
    assert "\x1b[" not in connections(batch_of({}), 160)
    assert "\x1b[36m" in connections(batch_of({}), 160, colours=True)


def test_plain_table_is_golden(batch_of: BatchOf) -> None:
    """Numbers to the right, columns that do not fit counted in the header."""
    batch = batch_of({}, OUT).select(["dst_ip", "dst_port", "recovered", "process_name", "process_guid", "channel"])
    assert written(batch, Terminal(69)) == (
        "dst_ip         dst_port recovered process_name   … 2 more: --columns\n"
        "192.168.64.135      138 false     System\n"
        "2001:db8::2         443 false     C:\\Win…ost.exe\n"
    )


@pytest.mark.parametrize("width", range(3, 12))
def test_shortened_texts_have_the_width(width: int) -> None:
    for text in ("abcdefghijklmnop", "漢字漢字漢字漢字", "aé漢" * 5):
        for shortened in (shorten(text, width), shorten_middle(text, width)):
            assert width - 2 <= cell_len(shortened) <= width
            assert "…" in shortened
