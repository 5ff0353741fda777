"""The command as a process: terminal, pipes, signals, start-up."""

from __future__ import annotations

import fcntl
import importlib.metadata
import io
import json
import os
import pty
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import procwire
from procwire.cli.verbs import VERBS

EVENTS = 153
COMMAND = [sys.executable, "-c", "from procwire.cli import main; main()"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
ENVIRONMENT["TERM"] = "xterm-256color"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, env=ENVIRONMENT, timeout=60, check=False
    )


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )


def on_terminal(width: int, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and what a terminal of this width is sent (stdout and stderr)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=follower, stderr=follower, env=ENVIRONMENT)
    os.close(follower)
    sent = b""
    try:
        while part := os.read(leader, 65536):
            sent += part
    except OSError:
        pass  # Linux's way to say that the other end is closed.
    finally:
        os.close(leader)
    return process.wait(60), sent.decode()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_terminal_gets_a_coloured_table_of_its_width(example_log: Path) -> None:
    code, sent = on_terminal(100, "read", example_log, "--limit", "2")
    assert code == 0
    assert "TIME (UTC)     PROCESS" in sent
    assert "\x1b[36m" in sent


@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_terminal_refuses_binary(example_log: Path, to: str) -> None:
    code, sent = on_terminal(100, "read", example_log, "--to", to)
    assert code == 2
    assert "expected a file or a pipe" in sent


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_pipe_gets_every_byte(example_log: Path, unbuffered: str) -> None:
    """Parquet too, which has no seekable place to go; with and without Python's own buffer."""
    environment = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    logs = [str(example_log)] * 20
    for to in ("parquet", "ndjson"):
        command = [*COMMAND, "read", *logs, "--to", to]
        stdout = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=True).stdout
        rows = pq.ParquetFile(io.BytesIO(stdout)).metadata.num_rows if to == "parquet" else stdout.count(b"\n")
        assert rows == 20 * EVENTS


@pytest.mark.parametrize("to", ["ndjson", "csv", "xml", "table", "arrow", "parquet"])
def test_closed_pipe_ends_quietly(example_log: Path, tmp_path: Path, to: str) -> None:
    """As with `| head`: exit code 0 and not a word, though the ledger is still written."""
    ledger = tmp_path / "ledger.json"
    process = start("read", *[example_log] * 20, "--to", to, "--ledger", ledger)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0
    assert "files" in json.loads(ledger.read_text())


@pytest.mark.parametrize(
    "arguments", [("dictionary",), ("dictionary", "--to", "json"), ("guid", "00000000-0000-0000-0000-000000000000")]
)
def test_closed_pipe_ends_the_other_verbs_quietly(arguments: tuple[str, ...]) -> None:
    process = start(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("read", "{log}"), ("read", "{log}", "-o", "/dev/full"), ("dictionary",)])
def test_full_disk_gives_1_and_one_line(example_log: Path, arguments: tuple[str, ...], unbuffered: str) -> None:
    """Also for the little that Python would write as it ends."""
    command = [*COMMAND, *(argument.format(log=example_log) for argument in arguments)]
    environment = {**ENVIRONMENT, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (1, b"procwire: results: No space left on device\n")


def test_closed_stdout_is_no_error(example_log: Path, tmp_path: Path) -> None:
    """As a daemon may have it."""
    command = shlex.join([*COMMAND, "read", str(example_log), "-o", str(tmp_path / "a.csv")])
    result = subprocess.run(f"{command} >&-", shell=True, stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 0
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("name", ["rows.ndjson", "rows.parquet"])
def test_signal_keeps_what_was_done(example_log: Path, tmp_path: Path, number: int, code: int, name: str) -> None:
    """While following: rows and ledger are whole, the exit code tells the signal."""
    rows, ledger = tmp_path / name, tmp_path / "ledger.json"
    process = start("read", example_log, "--follow", "-o", rows, "--ledger", ledger)
    if name == "rows.ndjson":
        wait_for(lambda: rows.exists() and rows.read_bytes().count(b"\n") == EVENTS)
    else:
        wait_for(rows.exists)
        time.sleep(3)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (code, b"")
    assert b"153 network connections" in stderr
    assert b"Traceback" not in stderr
    assert json.loads(ledger.read_text())["totals"]["events"] == EVENTS
    if name == "rows.parquet":
        assert pq.read_table(rows).num_rows == EVENTS


def test_following_a_log_that_does_not_exist_says_so(tmp_path: Path) -> None:
    """Its name may be mistyped; or it comes, and is read."""
    process = start("read", "--follow", tmp_path / "typo.log")
    assert process.stderr is not None
    reported = process.stderr.readline()
    assert reported.endswith(b"typo.log does not exist: waiting for it to appear, until Ctrl-C\n")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_an_interrupt_ends_a_reading_of_the_terminal() -> None:
    """A thread that waits for the terminal's next line does not abort the process."""
    leader, follower = pty.openpty()
    command = [*COMMAND, "read", "-"]
    process = subprocess.Popen(command, stdin=follower, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    os.close(follower)
    # It has its handler of signals before it reads.
    wait_for(lambda: catches(process.pid, signal.SIGINT) and threads(process.pid) > 1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    os.close(leader)
    assert (process.returncode, stdout) == (130, b"")
    assert b"Traceback" not in stderr
    assert b"Fatal" not in stderr


def catches(pid: int, number: int) -> bool:
    return bool(int(status_of(pid, "SigCgt"), 16) >> (number - 1) & 1)


def threads(pid: int) -> int:
    return int(status_of(pid, "Threads"))


def status_of(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def test_file_names_cannot_drive_the_terminal(tmp_path: Path) -> None:
    stdout, stderr = start("read", tmp_path / "a\x1b[2Jb.evtx").communicate(timeout=60)
    assert (stdout, b"\x1b" in stderr) == (b"", False)
    assert b"b.evtx" in stderr


def test_version_is_that_of_the_package() -> None:
    assert procwire.__version__ == importlib.metadata.version("procwire")


HEAVY = {"typing", "dataclasses", "inspect", "pathlib", "pyarrow", "pydantic", "duckdb", "rich", "numpy", "pandas"}


@pytest.mark.parametrize("words", [("--version",), ("--help",), *((*words, "--help") for words in VERBS)], ids=" ".join)
def test_help_and_version_import_nothing_heavy(words: tuple[str, ...]) -> None:
    """Which is what keeps them within three times the start of Python: `typing` alone takes as long as that."""
    script = f"""
import sys
before = set(sys.modules)
from procwire.cli.app import run
assert run({list(words)!r}) == 0
print(sorted({HEAVY!r} & (set(sys.modules) - before)))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["--version"], ["read", "--help"], ["nonsense"]])
def test_the_module_runs_the_command_line(words: list[str]) -> None:
    """`python -m procwire` is `procwire`, with its output and its exit codes."""
    module = subprocess.run(
        [sys.executable, "-m", "procwire", *words], capture_output=True, check=False, env=ENVIRONMENT
    )
    command = run(*words)
    assert (module.returncode, module.stdout, module.stderr) == (command.returncode, command.stdout, command.stderr)


NOT_FOR_A_READING = [
    "duckdb", "rich", "tarfile", "zipfile", "tempfile", "procwire.engine.connection", "procwire.sinks.live",
    "procwire.sources.follow", "procwire.sources.packings", "procwire.sysmon",
]  # fmt: skip


@pytest.mark.parametrize("to", ["ndjson", "csv"])
def test_a_reading_imports_what_it_needs(example_log: Path, to: str) -> None:
    """Most of a small log's time is imports; pyarrow's, which writes the text, are two thirds of that."""
    script = f"""
import sys
from procwire.cli import _Hidden
sys.meta_path.insert(0, _Hidden())
from procwire.cli.app import run
assert run(["read", {str(example_log)!r}, "--to", {to!r}]) == 0
print(sorted({set(NOT_FOR_A_READING)!r} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_what_a_reading_imported_is_not_collected_again(example_log: Path) -> None:
    """The collection at the end would take a tenth of the time of a small log."""
    watched = "import gc, atexit\natexit.register(lambda: print('frozen', gc.get_freeze_count() > 10_000))"
    assert left(watched, "read", str(example_log), "--limit", "1").stdout.splitlines()[-1] == b"frozen True"


def left(code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run some code, then the command in the same process."""
    program = f"import sys; sys.argv[0] = 'procwire'\n{code}\nfrom procwire.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, timeout=60, check=False)


def test_the_interpreter_is_not_taken_apart_at_the_end() -> None:
    """A thread of Arrow's that still freed Python objects then aborted the process: 2 in 100 of `lake info`."""
    watched = "class Watched:\n    def __del__(self): print('taken apart')\nwatched = Watched()"
    for arguments, code in ((["guid", "{1B2F5A3C-0000-0000-0000-000000000000}"], 0), (["read"], 2), (["--help"], 0)):
        done = left(watched, *arguments)
        assert done.returncode == code
        assert b"taken apart" not in done.stdout


def test_what_is_due_at_the_end_is_done() -> None:
    """Threads are waited for, exit functions called, objects in cycles let go, all output written."""
    due = """
import atexit, threading, time
class Cycle:
    def __init__(self): self.me = self
    def __del__(self): sys.stdout.write('cycle ')
Cycle()
atexit.register(sys.stdout.write, 'registered ')
threading.Thread(target=lambda: (time.sleep(0.2), sys.stdout.write('thread '))).start()
"""
    done = left(due, "guid", "{1B2F5A3C-0000-0000-0000-000000000000}")
    assert done.returncode == 0
    assert {b"thread", b"registered", b"cycle"} <= set(done.stdout.split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("lake", "--help"), ("read", "-h")])
def test_help_on_a_full_disk_is_an_error_of_one_line(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode in (1, 2)
    assert b"Traceback" not in done.stderr


def test_an_interrupt_before_a_verb_runs_is_no_traceback() -> None:
    """Whoever changes their mind at once sees nothing but the exit code."""
    interrupted = """
import builtins
real = builtins.__import__
def importing(name, *rest):
    if name == 'procwire.cli.verbs':
        raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = importing
"""
    done = left(interrupted, "read", "x")
    assert (done.returncode, done.stderr) == (130, b"")
