"""Sysmon for Linux' lines: to the byte what it writes, and read back in full."""

from __future__ import annotations

import gzip
import io
import socket
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_rows import CURL, KEPT, LOSS, SSHD, recorded

import procwire
from procwire.errors import UsageError
from procwire.event import LIVE_SCHEMA
from procwire.sinks.datagrams import SyslogSocket
from procwire.sinks.syslog import SyslogSink

SAMPLE = Path(__file__).parents[2] / "data" / "linux" / "log4shell.part1.derived.syslog.gz"


def written(batch: pa.RecordBatch) -> bytes:
    stream = io.BytesIO()
    SyslogSink(stream, now=lambda: 0).write(batch)
    return stream.getvalue()


def events(lines: bytes) -> list[bytes]:
    """The lines without what syslog put before the event."""
    return [line[line.index(b"<Event>") :] for line in lines.splitlines()]


def as_recorded(table: pa.Table) -> pa.RecordBatch:
    rows = [{**row, "record_kind": "connection"} for row in table.to_pylist()]
    return pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)


def test_real_lines_come_out_as_they_were() -> None:
    """What Sysmon for Linux wrote, read and written again, is the same to the byte."""
    with gzip.open(SAMPLE) as file:
        real = [line for line in file.read().splitlines() if b"<EventID>3</EventID>" in line]
    assert len(real) == 3
    again = events(written(as_recorded(procwire.read(SAMPLE))))
    assert again == events(b"\n".join(real))


def test_line_is_golden() -> None:
    [line] = written(recorded(SSHD)).decode().splitlines()
    prefix, event = line.split("<Event>")
    assert prefix.endswith(" testserver sysmon: ")
    assert prefix[:4] in ("Jan ", "Dec ")
    assert event == (
        '<System><Provider Name="Linux-Sysmon" Guid="{ff032593-a8d3-4f13-b0d6-01fc615a0f97}"/><EventID>3</EventID>'
        "<Version>5</Version><Level>4</Level><Task>3</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords>"
        '<TimeCreated SystemTime="2026-11-24T10:00:00.128210000Z"/><EventRecordID>1</EventRecordID><Correlation/>'
        '<Execution ProcessID="77" ThreadID="78"/><Channel>Linux-Sysmon/Operational</Channel>'
        '<Computer>testserver</Computer><Security UserId="0"/></System><EventData><Data Name="RuleName">-</Data>'
        '<Data Name="UtcTime">2026-11-24 10:00:00.125</Data>'
        '<Data Name="ProcessGuid">{ffb12c03-b90c-6955-d204-00009c4900f2}</Data><Data Name="ProcessId">812</Data>'
        '<Data Name="Image">/usr/sbin/sshd</Data><Data Name="User">root</Data><Data Name="Protocol">tcp</Data>'
        '<Data Name="Initiated">false</Data><Data Name="SourceIsIpv6">true</Data>'
        '<Data Name="SourceIp">2001:db8:0:0:0:0:0:9</Data><Data Name="SourceHostname">-</Data>'
        '<Data Name="SourcePort">50022</Data><Data Name="SourcePortName">-</Data>'
        '<Data Name="DestinationIsIpv6">true</Data><Data Name="DestinationIp">2001:db8:0:0:0:0:0:1</Data>'
        '<Data Name="DestinationHostname">testserver</Data><Data Name="DestinationPort">22</Data>'
        '<Data Name="DestinationPortName">ssh</Data></EventData></Event>'
    )


def test_loss_is_sysmons_error_event() -> None:
    """Among connections, in its place."""
    before, loss, after = events(written(recorded({}, LOSS, {})))
    assert before == after
    assert b"<EventID>255</EventID><Version>3</Version><Level>2</Level><Task>255</Task><Opcode>0</Opcode>" in loss
    assert loss.endswith(
        b'<EventData><Data Name="UtcTime">2026-11-24 10:00:00.125</Data><Data Name="ID">QUEUE</Data>'
        b'<Data Name="Description">Events dropped from driver queue: NetworkConnect:12</Data></EventData></Event>'
    )


text = st.none() | st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1, max_size=12)


@given(st.lists(st.tuples(text, text), min_size=1, max_size=4))
def test_any_text_stays_on_its_line(rows: list[tuple[str | None, str | None]]) -> None:
    """Names of files and users hold line breaks and markup at will."""
    lines = written(recorded(*({"process_name": name, "user_name": f"\r\n{user}\x1b<&"} for name, user in rows)))
    assert lines.count(b"\n") == len(rows)
    assert b"\x1b" not in lines


def test_bare_event_is_read_back(tmp_path: Path) -> None:
    """As a datagram has it, and as syslog writes it: every field equal."""
    batch = recorded({}, SSHD, dict.fromkeys(("process_name", "user_name", "process_guid", "dst_port")))
    for lines in (written(batch), b"\n".join(events(written(batch)))):
        (tmp_path / "log").write_bytes(lines)
        ledger = procwire.Ledger()
        assert (
            procwire.read(tmp_path / "log", columns=KEPT, ledger=ledger).to_pylist() == batch.select(KEPT).to_pylist()
        )
        assert not ledger.damaged


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, socket.socket]:
    path = tmp_path / "log"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(path))
    server.settimeout(10)
    return path, server


def test_datagrams_are_as_syslog_sends_them(log: tuple[Path, socket.socket]) -> None:
    path, server = log
    with server:
        out = SyslogSocket(path, now=lambda: 0)
        assert out.write(recorded({}, SSHD)) == 0
        first, second = server.recv(1 << 16), server.recv(1 << 16)
        out.close()
    assert first[:8] in (b"<14>Jan ", b"<14>Dec ")
    assert first[19:].startswith(b" sysmon: <Event><System>")
    assert first.endswith(b"</Event>")
    assert [first[first.index(b"<Event>") :], second[second.index(b"<Event>") :]] == events(written(recorded({}, SSHD)))


def test_log_that_takes_nothing_loses_but_does_not_block(log: tuple[Path, socket.socket]) -> None:
    """A stopped daemon: what does not fit into its queue is counted; once it continues, all is well again."""
    path, server = log
    with server:
        out = SyslogSocket(path)
        lost = out.write(recorded(*[{}] * 2000))
        assert 0 < lost < 2000
        assert out.write(recorded({})) == 1
        assert out.error == f"the system log {path} takes no more"
        for _ in range(2000 - lost):
            server.recv(1 << 16)
        assert out.write(recorded({})) == 0
        assert out.error is None
        out.close()


def test_log_that_went_away_is_found_again(log: tuple[Path, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    path, server = log
    out = SyslogSocket(path)
    server.close()
    path.unlink()
    assert out.write(recorded({}, {})) == 2
    assert "cannot write to the system log" in (out.error or "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(str(path))
        monkeypatch.setattr(out._log, "_retry_at", 0.0)
        assert out.write(recorded({}, {})) == 0
        assert CURL["process_name"].encode() in second.recv(1 << 16)
    out.close()


def test_daemon_that_was_restarted_loses_nothing(log: tuple[Path, socket.socket]) -> None:
    path, server = log
    out = SyslogSocket(path)
    server.close()
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(str(path))
        assert out.write(recorded({})) == 0
    out.close()


def test_missing_log_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write to the system log .*: No such file"):
        SyslogSocket(tmp_path / "none")
