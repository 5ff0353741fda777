"""The live view of a recording: what a person sees, at three widths."""

from __future__ import annotations

import io
import re

import pyarrow as pa
import pytest
from live_rows import ATTEMPT, CLOSE, EXISTING, LOSS, MIDWAY, SSHD, recorded
from rich.cells import cell_len

from event_rows import Row
from procwire.sinks import RECORDING_COLUMNS, Terminal
from procwire.sinks.kinds import ALERT_COLUMNS
from procwire.sinks.table import TableSink

ROWS = [{}, SSHD, {**SSHD, **CLOSE}, ATTEMPT, {**SSHD, **EXISTING}, LOSS, {}]


def shown(batch: pa.RecordBatch, width: int, *, colours: bool = False) -> str:
    stream = io.BytesIO()
    batch = batch.select(list(RECORDING_COLUMNS))
    sink = TableSink(stream, batch.schema, Terminal(width, colours))
    sink.write(batch)
    sink.write(batch.slice(0, 0))
    sink.close()
    return stream.getvalue().decode()


def test_narrow_view_is_golden() -> None:
    assert shown(recorded(*ROWS), 80) == (
        "TIME     PROCESS           USER    WAY   PEER\n"
        "10:00:00 curl 4711         alice   → tcp 93.184.216.34:443 example.com\n"
        "10:00:00 sshd 812          root    ← tcp [2001:db8::9]:50022\n"
        "10:00:00 sshd 812          root    ← tcp [2001:db8::9]:50022 · closed by peer,…\n"
        "10:00:00 curl 4711         alice   → tcp 93.184.216.34:443 example.com · refused\n"
        "10:00:00 sshd 812          root    ← tcp [2001:db8::9]:50022 · open already\n"
        "10:00:00 12 events were lost here\n"
        "10:00:00 curl 4711         alice   → tcp 93.184.216.34:443 example.com\n"
    )


def test_middle_view_is_golden() -> None:
    assert shown(recorded(*ROWS), 120) == (
        "TIME (UTC)    PROCESS                 PID  USER       WAY     LOCAL  PEER                   HOST\n"
        "10:00:00.125  curl                   4711  alice      → tcp  :41495  93.184.216.34:443      example.com\n"
        "10:00:00.125  sshd                    812  root       ← tcp     :22  [2001:db8::9]:50022    -\n"
        "10:00:00.125  sshd                    812  root       ← tcp     :22  [2001:db8::9]:50022    "
        "closed by peer, 1.5 s, 517…\n"
        "10:00:00.125  curl                   4711  alice      → tcp  :41495  93.184.216.34:443      "
        "example.com · refused\n"
        "10:00:00.125  sshd                    812  root       ← tcp     :22  [2001:db8::9]:50022    "
        "open already\n"
        "10:00:00.125  12 events were lost here\n"
        "10:00:00.125  curl                   4711  alice      → tcp  :41495  93.184.216.34:443      example.com\n"
    )


def test_wide_view_tells_how_a_connection_ended() -> None:
    line = shown(recorded(CLOSE), 200).splitlines()[1]
    assert line.startswith("2026-11-24 10:00:00.125  curl ")
    assert line.endswith("  example.com · closed by peer, 1.5 s, 517 B out, 4.1 MB in")


def test_rule_that_logs_a_connection_is_reported_and_where_none_does() -> None:
    ruled = {"rule_name": "technique_id=T1105", "logged": True}
    unlogged = {"logged": False}
    found = shown(recorded(ruled, {**SSHD, **EXISTING, **ruled}, unlogged, {**CLOSE, **unlogged}), 237).splitlines()
    assert [line.partition(" · ")[2] or line.rpartition("  ")[2].strip() for line in found[1:]] == [
        "technique_id=T1105",
        "open already, technique_id=T1105",
        "not logged",
        "closed by peer, 1.5 s, 517 B out, 4.1 MB in, not logged",
    ]


@pytest.mark.parametrize("width", [60, 80, 99, 100, 119, 120, 160, 237])
def test_lines_keep_within_the_width(width: int) -> None:
    """With wide characters (two cells each), long values and every kind of row."""
    long: Row = dict.fromkeys(
        ("process_name", "user_name", "network_protocol", "dst_ip", "dst_host_name"), "漢字é" * 40
    )
    lines = shown(recorded(*ROWS, long, {**long, **CLOSE}, {**long, **ATTEMPT}), width).splitlines()
    assert len(lines) == 1 + len(ROWS) + 3
    assert max(cell_len(line) for line in lines) <= width


def test_nulls_are_dashes() -> None:
    nothing = dict.fromkeys(RECORDING_COLUMNS)
    for width in (80, 120, 200):
        assert len(shown(recorded(nothing), width).splitlines()) == 2


def test_direction_that_is_not_known_is_no_arrow_of_one() -> None:
    """The peer is the destination: the source is the local end."""
    for width in (80, 120):
        line = shown(recorded(MIDWAY), width).splitlines()[1]
        assert "↔ udp" in line
        assert "93.184.216.34:443" in line


def test_single_event_lost_is_reported_as_one() -> None:
    assert "1 event was lost here" in shown(recorded({**LOSS, "events_lost": 1}), 100)


def test_events_without_their_process_are_distinguished_from_lost_ones() -> None:
    row = {**LOSS, "attribution": "undescribed"}
    assert "12 events were recorded without their process (undescribed)" in shown(recorded(row), 100)


@pytest.mark.parametrize("colours", [False, True])
def test_values_cannot_drive_the_terminal(colours: bool) -> None:
    """A process may name its file as it likes."""
    evil = "\x1b[2J\x9b2J\r\n\x07\u202eexe.gpj\x00"
    row: Row = {
        name: evil for name in RECORDING_COLUMNS if name.endswith(("_name", "_ip", "_protocol")) or name == "outcome"
    }
    for kind in ({}, {"record_kind": "attempt"}, {"record_kind": "close"}):
        for width in (80, 200):
            rest = shown(recorded({**row, **kind}), width, colours=colours)
            rest = re.sub(r"\x1b\[[0-9;]*m", "", rest) if colours else rest
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rest)
            assert rest.count("\n") == 2


@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("width", [80, 200])
def test_alert_is_a_line_among_the_connections(width: int, colours: bool) -> None:
    """Cut to the terminal's width; neither a rule's title nor a process can drive it."""
    names = (*RECORDING_COLUMNS, *ALERT_COLUMNS)
    alert = {"record_kind": "alert", "process_name": "/tmp/e\x1bvil", "process_id": 7, "dst_ip": "::1", "dst_port": 9}
    reported = {"rule_title": "Back\x1b[2Jdoor", "rule_level": "high"}
    events = recorded(ROWS[0], alert, ROWS[0])
    columns = [pa.array([None, reported.get(name), None], pa.string()) for name in ALERT_COLUMNS]
    batch = pa.record_batch([*(events.column(name) for name in RECORDING_COLUMNS), *columns], names=list(names))
    stream = io.BytesIO()
    TableSink(stream, batch.schema, Terminal(width, colours)).write(batch)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue().decode()).splitlines()
    assert len(lines) == 4
    assert lines[1] == lines[3]
    assert lines[2].lstrip("0123456789-:. ").startswith("ALERT high: Back\ufffd[2Jdoor (e\ufffdvil 7 [::1]:9)")
    assert max(map(cell_len, lines)) <= width
