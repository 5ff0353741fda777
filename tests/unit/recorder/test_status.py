"""The status files: who records is seen, who is gone is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from procwire.cli.record_status import print_status
from procwire.errors import RecordError
from procwire.recorder import RecordingLedger, status
from procwire.recorder.status import StatusFile, running_recorders

GOLDEN = Path(__file__).parents[2] / "data" / "recordings" / "0.1.0-a"


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(status, "RUNTIME_FOLDER", tmp_path)
    monkeypatch.setattr(status, "runtime_folder", lambda: tmp_path)
    return tmp_path


def test_running_recorder_is_seen_with_its_account(runtime: Path) -> None:
    file = StatusFile(runtime)
    file.write(RecordingLedger("poll", captured=Counter(connection=123_456_789)))
    file.write(RecordingLedger("poll", captured=Counter(connection=7)))
    [state] = running_recorders()
    assert (state["process_id"], state["sensor"], state["captured"]) == (os.getpid(), "poll", {"connection": 7})
    file.close()
    assert list(running_recorders()) == []


def test_recorder_that_was_killed_is_not_seen_and_cleared_away(runtime: Path) -> None:
    script = (
        "import os, signal; from pathlib import Path; from procwire.recorder import RecordingLedger\n"
        "from procwire.recorder.status import StatusFile\n"
        f"StatusFile(Path({str(runtime)!r})).write(RecordingLedger('poll'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    [left] = runtime.iterdir()
    assert json.loads(left.read_text())["sensor"] == "poll"
    assert list(running_recorders()) == []
    file = StatusFile(runtime)
    assert not left.exists()
    file.close()


def test_id_that_another_process_has_now_is_not_the_recorder(runtime: Path) -> None:
    file = StatusFile(runtime)
    file.write(RecordingLedger("poll"))
    [path] = runtime.iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "start_ticks": 1}))
    assert list(running_recorders()) == []
    file.close()


def of_this_process(runtime: Path, **changes: object) -> Path:
    """A golden state, as if this process had written it."""
    file = StatusFile(runtime)
    file.write(RecordingLedger("poll"))
    [path] = runtime.iterdir()
    own = json.loads(path.read_text())
    older = json.loads((GOLDEN / "status.json").read_text())
    identity = {name: own[name] for name in ("process_id", "start_ticks", "boot_id")}
    path.write_text(json.dumps({**older, **identity, **changes}))
    return path


def test_recorder_of_an_older_procwire_is_seen(runtime: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of_this_process(runtime)
    [state] = running_recorders()
    assert "version" not in state
    assert print_status(as_json=False) == 0
    assert f"process {os.getpid()} records by poll since 2026-11-30" in capsys.readouterr().out


def test_recorder_of_a_newer_procwire_is_reported_with_both_versions(runtime: Path) -> None:
    of_this_process(runtime, version=2)
    with pytest.raises(RecordError, match="found version 2, expected 1 or older: a newer procwire records"):
        list(running_recorders())


@pytest.mark.parametrize("content", [b"[]", b"{}", b"7", b"\xff", b'{"boot_id": 3}', b""])
def test_what_is_no_state_is_no_recorder(runtime: Path, content: bytes) -> None:
    (runtime / "recorder-1.json").write_bytes(content)
    assert list(running_recorders()) == []
