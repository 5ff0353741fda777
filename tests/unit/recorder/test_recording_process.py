"""`procwire.record`: recordings in processes of their own, of real connections, which leave this process as it is."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import procwire
from procwire.errors import ConfigurationError, RecordError, UsageError
from procwire.recorder import Notice
from recordings import Server, ports

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recording needs Linux")

POLL: dict[str, Any] = {"sensor": "poll", "interval": "50ms"}


@pytest.fixture(autouse=True)
def _own_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{folder}/state")
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}/run")


def records(folder: Path) -> bool:
    """Return whether a recorder has written its status: from then on it records."""
    return any(path.read_text().endswith("\n") for path in folder.glob("run/recorder-*.json"))


def once(condition: Callable[[], bool], act: Callable[[], object]) -> Callable[[], bool]:
    """Return what acts when the condition first holds; it says False."""
    acted = False

    def ask() -> bool:
        nonlocal acted
        if not acted and condition():
            acted = True
            act()
        return False

    return ask


def rights() -> list[str]:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("Uid", "Gid", "Cap", "NoNewPrivs", "Umask"))]


def test_connections_are_recorded_and_this_process_keeps_its_rights(folder: Path, connect: Server) -> None:
    path, before = folder / "a.ndjson", rights()
    made: list[int] = []
    notices: list[Notice] = []
    begin = once(lambda: records(folder), lambda: made.extend(connect(3)))

    def stop() -> bool:
        begin()
        return bool(made) and set(made) <= set(ports(path.read_text()))

    result = procwire.record(path, where=connect.mine, notify=notices.append, stop=stop, **POLL)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert {row["process_id"] for row in rows} == {os.getpid()}
    assert result.signal is None
    assert result.ledger.sensor == "poll"
    assert result.ledger.is_whole
    assert result.ledger.end_s is not None
    [output] = result.ledger.outputs
    assert (output.name, output.format, output.written) == (str(path), "ndjson", len(rows))
    assert result.ledger.captured["connection"] == len(rows) + result.ledger.filtered
    assert notices[0].text.startswith("recording by poll, best effort")
    assert [notice.kind for notice in notices] == ["status", "summary"]
    assert notices[-1].text == result.ledger.summary()
    assert rights() == before


@pytest.mark.parametrize("duration", [0.1, "100ms"])
def test_limits_end_it(folder: Path, duration: float | str) -> None:
    paths = [folder / "a.csv", folder / "b.parquet"]
    procwire.record(paths, columns=["dst_ip"], where="false", duration=duration, **POLL)
    assert (folder / "a.csv").read_bytes() == b"dst_ip\r\n"


def test_without_notify_it_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "procwire.recorder"):
        procwire.record(folder / "a.csv", where="false", duration=0.1, closes=True, **POLL)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]


def test_settings_that_cannot_be_are_refused(folder: Path) -> None:
    path = folder / "a.csv"
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "found no output"),
        ({"output": "-"}, "found no output"),
        ({"output": path, "sensor": "none"}, "found sensor 'none', expected one of auto, ebpf, poll"),
        ({"output": path, "count": 0}, "found count 0"),
        ({"output": path, "duration": -1.0}, "expected a duration"),
        ({"output": path, "to": "docx"}, "found the format 'docx'"),
        ({"output": path, "columns": ["dst_ipp"]}, "did you mean 'dst_ip'"),
        ({"output": path, "where": "dst_port ="}, "syntax error"),
    ]
    for arguments, complaint in cases:
        with pytest.raises(UsageError, match=complaint):
            procwire.record(**arguments)


def test_errors_of_the_process_are_raised_here(folder: Path) -> None:
    rules = folder / "rules.xml"
    rules.write_text('<Sysmon schemaversion="4.90"><EventFiltering>\n<NetworkConnect/></EventFiltering></Sysmon>')
    with pytest.raises(ConfigurationError) as refused:
        procwire.record(folder / "a.csv", config=rules, **POLL)
    assert str(refused.value).startswith(f"{rules}:2:1: found ")
    assert refused.value.findings[0].place.line == 2
    with pytest.raises(UsageError, match="rule"):
        procwire.record(folder / "a.csv", detect=folder / "none", **POLL)


def test_a_process_that_is_killed_is_an_error(folder: Path) -> None:
    def kill() -> None:
        [path] = folder.glob("run/recorder-*.json")
        os.kill(json.loads(path.read_text())["process_id"], signal.SIGKILL)

    with pytest.raises(RecordError, match="without a result: exit code -9"):
        procwire.record(folder / "a.csv", stop=once(lambda: records(folder), kill), **POLL)


def test_what_a_callback_raises_ends_it_in_order(folder: Path) -> None:
    def refuse(notice: Notice) -> None:
        raise LookupError(notice.text)

    with pytest.raises(LookupError, match="recording by poll"):
        procwire.record(folder / "a.xml", notify=refuse, where="false", **POLL)
    assert (folder / "a.xml").read_bytes().endswith(b"</Events>\n")


def test_it_records_in_any_thread(folder: Path) -> None:
    results: list[procwire.RecordingResult] = []

    def run() -> None:
        results.append(procwire.record(folder / "a.csv", where="false", stop=lambda: records(folder), **POLL))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert results[0].signal is None


PROGRAM = """
import sys, time, procwire
result = procwire.record({path!r}, where="false", sensor="poll", interval="50ms", notify=lambda _: None)
print(result.signal, result.ledger.end_s is not None)
"""


@pytest.fixture
def program(folder: Path) -> Callable[[], subprocess.Popen[str]]:
    """Start a program that records until it is ended; return it once it records."""

    def start() -> subprocess.Popen[str]:
        code = PROGRAM.format(path=str(folder / "a.xml"))
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        deadline_s = time.monotonic() + 60
        while not records(folder):
            assert time.monotonic() < deadline_s
            assert process.poll() is None
            time.sleep(0.02)
        return process

    return start


def test_ctrl_c_ends_it_with_a_result(folder: Path, program: Callable[[], subprocess.Popen[str]]) -> None:
    process = program()
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, "2 True\n")
    assert (folder / "a.xml").read_bytes().endswith(b"</Events>\n")


def test_a_program_that_is_killed_takes_its_recording_along(
    folder: Path, program: Callable[[], subprocess.Popen[str]]
) -> None:
    process = program()
    process.kill()
    process.communicate(timeout=60)
    deadline_s = time.monotonic() + 60
    while not (folder / "a.xml").read_bytes().endswith(b"</Events>\n"):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
