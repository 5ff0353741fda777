"""Lines that the core writes are those that the sinks of batches write, byte for byte."""

from __future__ import annotations

import io
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rows import ATTEMPT, CLOSE, CURL, LOSS, SSHD, recorded

from event_rows import Row
from procwire.enrich.envelope import ERROR
from procwire.errors import UsageError
from procwire.event import FIELDS, LIVE_FIELDS, LIVE_SCHEMA, NAMES, Field, fields
from procwire.select import LIVE_GROUPS, Selection
from procwire.sinks.forms import (
    DESCRIPTION,
    LINE_WAYS,
    STAMP,
    SYSMON_WAYS,
    header,
    line_form,
    loss_form,
    loss_text,
    stamp,
)
from procwire.sinks.lines import line_output
from procwire.sinks.recording import RecordingOutput
from procwire.sinks.rotation import Rotation
from procwire.sources.sensor import LineForm

if TYPE_CHECKING:
    from procwire.choices import Names

NOON_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
NO_ROTATION = Rotation(None, None, None, lambda: NOON_S)
KEPT = fields(*LIVE_GROUPS)


def by_batch(way: str, rows: list[Row], names: Names = "ossem", columns: list[str] | None = None) -> bytes:
    """What the sinks of batches write."""
    batch = recorded(*rows)
    if way not in SYSMON_WAYS:
        selection = Selection(names=names, columns=columns, groups=LIVE_GROUPS, live=True)
        [batch] = selection.apply([batch])
    stream = io.BytesIO()
    output = RecordingOutput(
        way,
        None,
        batch.schema,
        rotate_bytes=None,
        rotate_s=None,
        keep=None,
        terminal=None,
        stream=stream,
        now=lambda: NOON_S,
    )
    output._target._sink._now = lambda: NOON_S  # type: ignore[attr-defined]
    output.write(batch)
    output.close()
    return stream.getvalue()


def values(row: Row) -> dict[str, str | int | bool | bytes | None]:
    """A row's values as the core takes them: times in microseconds."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    [whole] = recorded(row).to_pylist()
    for name in ("event_creation_time", "event_recorded_time"):
        if whole[name] is not None:
            since = whole[name] - epoch
            whole[name] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    start = stamp(NOON_S, whole["computer_name"])
    text = None
    if whole["events_lost"] is not None:
        text = loss_text(whole["events_lost"], whole["attribution"])
    return {**whole, STAMP: start, DESCRIPTION: text}


def by_core(way: str, rows: list[Row], names: Names = "ossem", kept: tuple[Field, ...] = KEPT) -> bytes:
    """What the core writes, with what stands around it."""
    written = header(way, [field.named(names) for field in kept]).encode()
    for row in rows:
        form = loss_form if row.get("record_kind") == "loss" else line_form
        written += LineForm(form(way, kept, names)).line(values(row))
    return written + (b"</Events>\n" if way == "xml" else b"")


@pytest.mark.parametrize("way", LINE_WAYS)
def test_lines_are_those_of_batches(way: str) -> None:
    kinds = [] if way in SYSMON_WAYS else [ATTEMPT, CLOSE]
    rows = [{}, SSHD, *kinds, {**LOSS, **ERROR}, {**LOSS, **ERROR, "attribution": "undescribed"}, {"user_name": None}]
    assert by_core(way, rows) == by_batch(way, rows)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("way", ["ndjson", "csv"])
def test_names_and_columns_are_those_of_batches(way: str, names: Names) -> None:
    kept = tuple(reversed(FIELDS + LIVE_FIELDS))
    columns = [field.named(names) for field in kept]
    assert by_core(way, [{}, SSHD], names, kept) == by_batch(way, [{}, SSHD], names, columns)
    assert by_core(way, [{}, CLOSE], names) == by_batch(way, [{}, CLOSE], names)


characters = st.characters(exclude_categories=["Cs"])
texts = st.none() | st.text(
    characters | st.sampled_from('a"\\,;&<>\r\n\t\0\x1b\x7f\x9b\xa0\xad\ufffe\uffffé'), max_size=8
)
times = st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31)).map(lambda time: time.replace(tzinfo=UTC))
whole_times = times.map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
ipv6 = st.ip_addresses(v=6).map(str).filter(lambda address: "::ffff:" not in address)
addresses = ipv6 | st.ip_addresses(v=4).map(str)
longs = st.none() | st.integers(-(2**63), 2**63 - 1)
TEXTS = (
    "process_name",
    "user_name",
    "process_command_line",
    "outcome",
    "cgroup_path",
    "dst_port_name",
    "src_host_name",
)
LONGS = ("process_id", "connection_id", "sent_bytes", "user_id")
rows_of_events = st.fixed_dictionaries(
    {"event_creation_time": times | whole_times, "event_recorded_time": times | whole_times},
    optional={
        **dict.fromkeys(TEXTS, texts),
        **dict.fromkeys(LONGS, longs),
        "process_guid": st.none() | st.text('{}ABCF019-&"', max_size=8),
        "network_connection_initiated": st.none() | st.booleans(),
        "process_name_truncated": st.none() | st.booleans(),
        "src_ip": addresses,
        "dst_ip": addresses,
        "src_port": st.none() | st.integers(-(2**31), 2**31 - 1),
    },
)


@pytest.mark.parametrize("way", LINE_WAYS)
@settings(deadline=None)
@given(rows=st.lists(rows_of_events, min_size=1, max_size=3))
def test_any_values_are_written_as_by_batches(way: str, rows: list[Row]) -> None:
    """Every kind of value, constant in a batch or not; and what formats and terminals would obey."""
    assert by_core(way, rows) == by_batch(way, rows)


@pytest.mark.parametrize("computer_name", ["web-1", "my host é", "\u00e9", "a b  c\n"])
def test_a_machine_s_name_is_a_word(computer_name: str) -> None:
    row = {"computer_name": computer_name}
    assert by_core("syslog", [row]) == by_batch("syslog", [row])


@pytest.mark.parametrize("way", LINE_WAYS)
def test_files_are_those_of_batches(way: str, tmp_path: Path) -> None:
    """Header and footer are; and either appends to what the other wrote."""
    schema = LIVE_SCHEMA if way in SYSMON_WAYS else Selection(groups=LIVE_GROUPS, live=True).schema
    columns = [field.name for field in KEPT]
    line = LineForm(line_form(way, KEPT, "ossem")).line(values({}))
    by_lines, both = tmp_path / "lines", tmp_path / "both"
    for path in (by_lines, by_lines, both):
        output = line_output(way, path, columns, NO_ROTATION, None)
        output.write(line, 1)
        output.close()
        assert (output.written, output.lost, output.error) == (1, 0, None)
    batches = RecordingOutput(
        way, both, schema, rotate_bytes=None, rotate_s=None, keep=None, terminal=None, stream=None, now=lambda: NOON_S
    )
    batches._target._sink._now = lambda: NOON_S  # type: ignore[attr-defined]
    batches.write(recorded({}).select(schema.names))
    batches.close()
    assert by_lines.read_bytes().replace(b" " * 10, b"") == both.read_bytes().replace(b" " * 10, b"")
    assert [path.name for path in tmp_path.iterdir() if "set-aside" in path.name] == []


def test_a_file_that_cannot_be_written_counts_its_lines_as_lost(tmp_path: Path) -> None:
    output = line_output("ndjson", tmp_path / "a.ndjson", ["a"], NO_ROTATION, None)
    read_only = os.open(tmp_path / "a.ndjson", os.O_RDONLY)
    writable = output._target._file._file._fd  # type: ignore[attr-defined]
    kept = os.dup(writable)
    os.dup2(read_only, writable)
    output.write(b'{"a":1}\n', 1, 2)
    assert (output.written, output.skipped, output.lost) == (0, 2, 1)
    assert output.error == "cannot write the file: Invalid argument"
    os.dup2(kept, writable)
    output.write(b'{"a":1}\n{"a":2}\n', 2)
    assert (output.written, output.lost) == (2, 1)
    output.close()
    for descriptor in (kept, read_only):
        os.close(descriptor)


def test_a_socket_takes_a_datagram_for_each_line(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        output = line_output("syslog", tmp_path / "log", [], NO_ROTATION, None)
        assert not output.has_hostname
        output.write(b"one\ntwo\n", 2)
        assert [log.recv(100), log.recv(100)] == [b"one", b"two"]
        output.close()
    with pytest.raises(UsageError, match="expected a file or a pipe"):
        line_output("csv", tmp_path / "log", [], NO_ROTATION, None)


def test_a_form_says_which_style_it_does_not_know() -> None:
    with pytest.raises(ValueError, match=r"found style .loud."):
        LineForm(["a", ("column", "", "", "", "loud")])


def test_connection_has_no_other_envelope_than_lines() -> None:
    """Rows of a recording have all of System, so a line need not say what stands there where nothing does."""
    assert all(CURL[field.name] is not None for field in fields("system"))
