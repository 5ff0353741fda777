"""`procwire lake expire` drops nothing that nobody agreed to."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from command_line import Result, invoke
from recordings import VERB

ROWS = {"connections": 153, "process_creations": 356}


def run(*arguments: str | Path) -> Result:
    """Run it as cron does: nobody is there to answer."""
    return invoke("lake", *map(str, arguments))


@pytest.fixture
def lake(tmp_path: Path, example_log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three days of 2017, in a lake that the environment names."""
    location = tmp_path / "lake"
    monkeypatch.setenv("PROCWIRE_LAKE", str(location))
    assert invoke("read", str(example_log), "--to", "lake").exit_code == 0
    return location


def rows() -> dict[str, int]:
    counts = {}
    for table in ROWS:
        counts[table] = run("export", "--table", table, "--to", "ndjson").stdout.count("\n")
    return counts


def answered(answer: str, *arguments: str) -> tuple[int, str]:
    """Run it on a terminal of its own, and type an answer; the exit code, and what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*VERB, "lake", "expire", *arguments], preexec_fn=lambda: os.login_tty(theirs))
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            # The other end is closed.
            break
        shown += part
        if b"[y/N]" in shown and answer:
            os.write(ours, answer.encode())
            answer = ""
    os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("age", ["90", "0d", "5m", "3M", "1.5d", "-1d", "1h", "999999999999d", "2024-03-01", ""])
def test_an_age_without_a_clear_unit_is_refused(lake: Path, age: str) -> None:
    """Also where --yes is given: a bare number was taken for seconds, and wiped the lake."""
    result = run("expire", f"--older-than={age}", "--yes")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"procwire: found {age!r}, expected days or weeks with their unit, such as 90d")
    assert (lake.exists(), rows()) == (True, ROWS)


@pytest.mark.usefixtures("lake")
def test_a_dry_run_shows_the_days_and_drops_nothing() -> None:
    for more in ([], ["--yes"]):
        result = run("expire", "--older-than", "90d", "--dry-run", *more)
        assert result.exit_code == 0
        assert re.fullmatch(
            r"connections/2017-10-23: 153 connections, 1 file of [\d.]+ kB\n"
            r"process_creations/2017-09-03: 164 process creations, 1 file of [\d.]+ kB\n"
            r"process_creations/2017-10-23: 192 process creations, 1 file of [\d.]+ kB\n",
            result.stdout,
        )
        assert "2 days (2017-09-03 to 2017-10-23) would be dropped, 356 process creations" in result.stderr
        assert rows() == ROWS


def test_without_a_terminal_nothing_is_dropped_unless_yes_says_so(lake: Path) -> None:
    result = run("expire", "--older-than", "90d")
    assert result.exit_code == 2
    assert f"lake {lake}: 1 day (2017-10-23) would be dropped, 153 connections" in result.stderr
    assert "procwire: found no terminal to ask on, expected --yes to drop the days, or --dry-run" in result.stderr
    assert rows() == ROWS
    # What cron runs must fail the first night, not once the lake is old enough.
    assert run("expire", "--older-than", "36500d").exit_code == 2

    result = run("expire", "--older-than", "90d", "--yes")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"lake {lake}: 1 day (2017-10-23) dropped, 153 connections, 1 file of " in result.stderr
    assert rows() == dict.fromkeys(ROWS, 0)


def test_closed_input_is_nobody_to_ask(lake: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" <&-', "-", *VERB, "lake", "expire", "--older-than", "90d"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, lake.exists()) == (2, True)
    assert "found no terminal to ask on" in done.stderr
    assert rows() == ROWS


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "\x04", "\x03"], ids=["enter", "n", "no", "end", "ctrl-c"])
def test_on_a_terminal_it_asks_and_takes_no_for_an_answer(answer: str) -> None:
    code, shown = answered(answer, "--older-than", "90d")
    assert "1 day (2017-10-23) would be dropped, 153 connections" in shown
    assert "Drop them for good? [y/N]" in shown
    assert shown.endswith("procwire: nothing was dropped\n")
    assert (code, rows()) == (1, ROWS)


@pytest.mark.usefixtures("lake")
def test_on_a_terminal_it_drops_once_that_is_agreed() -> None:
    code, shown = answered("y\n", "--older-than", "90d")
    assert "1 day (2017-10-23) dropped, 153 connections" in shown
    assert (code, rows()) == (0, dict.fromkeys(ROWS, 0))


@pytest.mark.usefixtures("lake")
def test_on_a_terminal_yes_does_not_ask() -> None:
    code, shown = answered("", "--older-than", "90d", "--yes")
    assert (code, "[y/N]" in shown) == (0, False)
    assert rows() == dict.fromkeys(ROWS, 0)


@pytest.mark.usefixtures("lake")
def test_where_nothing_is_old_nothing_is_asked() -> None:
    code, shown = answered("", "--older-than", "36500d")
    assert (code, "[y/N]" in shown) == (0, False)
    assert "0 days dropped, 0 connections, 0 files of 0 B" in shown
    assert rows() == ROWS
