"""The status files: who records is seen, who is gone is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from procwire.recorder import RecordingLedger, status
from procwire.recorder.status import StatusFile, running_recorders


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
