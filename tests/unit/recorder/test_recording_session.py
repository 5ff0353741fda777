"""The order of a recording's set-up: what needs root, root given up, the rest; and what a session leaves behind."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakeSource, live

from procwire.recorder import Notice, RecordingLedger, batch_setup, session
from procwire.recorder.settings import recording_settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recording needs Linux")


class SameThread:
    """Opens the sensor at once, in this thread."""

    def begin(self, work: Callable[[], Any]) -> Callable[[], Any]:
        result = work()
        return lambda: result


class LineSource(FakeSource):
    """Gives one line, as the eBPF sensor does."""

    name = "ebpf"
    forms = 0

    def write_lines(self, form: object, **_: object) -> None:
        del form
        self.forms += 1

    def lines(self, timeout_s: float, first_record_id: int, most: int) -> SimpleNamespace | None:
        del timeout_s, most
        self.steps += 1
        data = b'{"record_id":%d}\n' % first_record_id
        captured = {"connection": 1}
        counts = {"written": 1, "skipped": 0, "ruled_out": 0, "has_rest": False}
        return SimpleNamespace(data=data, captured=captured, **counts) if self.steps == 1 else None


@pytest.fixture
def umask() -> Iterator[int]:
    """Restore what a session changes for good."""
    before = os.umask(0o022)
    yield 0o022
    os.umask(before)


@pytest.fixture
def steps(folder: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> list[str]:
    """The steps of a session in their order; those that change the process, or need root, do nothing."""
    del umask
    done: list[str] = []
    monkeypatch.setenv("STATE_DIRECTORY", f"{folder}/state")
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}/run")

    def trace(module: Any, name: str, fake: Callable[..., Any] | None = None) -> None:
        real = getattr(module, name)

        def traced(*arguments: Any, **options: Any) -> Any:
            done.append(name)
            return (fake or real)(*arguments, **options)

        monkeypatch.setattr(module, name, traced)

    source = FakeSource(live({"dst_port": 1}, {"dst_port": 2}))
    account = pwd.getpwuid(os.getuid())
    trace(session, "check_files")
    trace(session, "keep_memory_small", lambda: None)
    trace(session, "_account", lambda _: account)
    trace(session, "lock_privileges", lambda: None)
    trace(session, "KeptRights", SameThread)
    trace(session, "kept_fields")
    trace(session, "first_rules")
    trace(session, "open_ledger")
    trace(session, "open_source", lambda _: (source, RecordingLedger(source.name)))
    trace(session, "import_all")
    trace(session, "_record_ids")
    trace(session, "_status")
    trace(session, "line_recorder")
    trace(session, "make_files")
    trace(session, "drop_privileges", lambda *_: None)
    trace(session, "check_readable")
    trace(batch_setup, "open_outputs")
    trace(session, "_run")
    trace(session, "_report")
    return done


def test_what_needs_root_comes_before_root_is_given_up(folder: Path, steps: list[str]) -> None:
    path, ledger = folder / "a.csv", folder / "ledger.json"
    rules = folder / "rule.yml"
    detection = "detection:\n  s:\n    DestinationPort: 2\n  condition: s\n"
    rules.write_text(f"title: A\nlogsource:\n  category: network_connection\n{detection}")
    settings = recording_settings(
        output=path, ledger=ledger, detect=rules, columns=["dst_port"], count=2, dns_lookup=False
    )
    notices: list[Notice] = []
    result = session.record(settings, notices.append)
    assert steps == [
        "check_files",
        "keep_memory_small",
        "_account",
        # Before anything starts a thread.
        "lock_privileges",
        "kept_fields",
        "first_rules",
        "open_ledger",
        "KeptRights",
        "open_source",
        # While the account can still read where Python's modules are.
        "import_all",
        "_record_ids",
        "_status",
        "make_files",
        "drop_privileges",
        "check_readable",
        # The account opens its files itself.
        "open_outputs",
        "_run",
        "_report",
    ]
    assert [line.partition(",")[0] for line in path.read_text().splitlines()] == ["dst_port", "1", "2", "2"]
    assert result.signal is None
    assert json.loads(ledger.read_text()) == json.loads(json.dumps(result.ledger.to_dict()))
    assert [notice.kind for notice in notices] == ["status", "status", "summary"]


def test_lines_are_recorded_in_the_same_order(folder: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    source = LineSource()
    monkeypatch.setattr(session, "open_source", lambda _: (source, RecordingLedger("ebpf")))
    path = folder / "a.ndjson"
    result = session.record(recording_settings(output=path, count=1, where="true", dns_lookup=False), lambda _: None)
    assert steps[-6:] == ["_status", "make_files", "drop_privileges", "line_recorder", "_run", "_report"]
    assert (path.read_bytes(), source.forms) == (b'{"record_id":1}\n', 1)
    assert (result.ledger.captured, result.ledger.outputs[0].written) == ({"connection": 1}, 1)


def test_files_are_for_the_account_and_its_group(folder: Path, steps: list[str]) -> None:
    session.record(recording_settings(output=folder / "a.csv", count=1, where="true"), lambda _: None)
    assert steps[-1] == "_report"
    assert os.umask(0) == 0o027


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"columns": ["dst_port"], "where": "dst_port = 1", "config": "examples/configs/server-linux.xml"},
        {"lake": "lake", "detect": "examples/rules"},
    ],
    ids=str,
)
def test_privileges_are_locked_before_there_are_threads(folder: Path, options: dict[str, Any]) -> None:
    """But one, which keeps the rights of who is not root until the sensor is open; and before Arrow could start any."""
    if "lake" in options:
        options = {**options, "lake": str(folder / "lake")}
    code = f"""
import os, sys
from pathlib import Path
from procwire.recorder import session
from procwire.recorder.settings import recording_settings
from procwire.sources.privileges import can_change_account

def locked():
    threads = len(list(Path("/proc/self/task").iterdir())) - (not can_change_account())
    print(threads, "pyarrow" in sys.modules, "duckdb" in sys.modules)
    sys.stdout.flush()
    os._exit(0)

session.lock_privileges = locked
session.record(recording_settings(output={str(folder / "a.csv")!r}, **{options!r}), print)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 False False\n"


@pytest.mark.parametrize(
    "options",
    [
        {"output": ["a.ndjson", "b.csv", "c.xml"], "where": "dst_port > 0"},
        {"output": ["a.parquet", "b.arrow"], "config": "examples/configs/server-linux.xml", "to": ["parquet", "arrow"]},
        {"output": ["a.log"], "to": ["syslog"], "processes": ["python"], "rotate_size": "1MB", "keep": 1},
        {"output": ["a.ndjson"], "detect": "examples/rules", "lake": "lake"},
    ],
    ids=str,
)
def test_nothing_is_imported_once_root_is_given_up(folder: Path, options: dict[str, Any]) -> None:
    """The account that records may not be allowed to read where Python's modules are."""
    options = {**options, "output": [str(folder / name) for name in options["output"]]}
    if "lake" in options:
        options["lake"] = str(folder / "lake")
    code = f"""
import os, pwd, socket, sys
from procwire.recorder import session
from procwire.recorder.settings import recording_settings

class Unreadable:
    def find_spec(self, name, path=None, target=None):
        raise ImportError(f"{{name}} is imported too late")

session._account = lambda settings: pwd.getpwuid(os.getuid())
session.drop_privileges = lambda account, keep: sys.meta_path.insert(0, Unreadable())
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
result = session.record(
    recording_settings(sensor="poll", existing=True, interval=0.05, duration=0.5, **{options!r}), print
)
print(sum(result.ledger.captured.values()) > 0, result.ledger.is_whole)
"""
    environment = {"STATE_DIRECTORY": f"{folder}/state", "RUNTIME_DIRECTORY": f"{folder}/run"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.stderr == ""
    assert done.stdout.endswith("\nTrue True\n")
