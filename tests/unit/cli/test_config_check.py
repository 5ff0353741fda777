"""`procwire config check`: what is printed where, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Result, invoke

GOOD = """<Sysmon schemaversion="4.90"><EventFiltering>
<NetworkConnect onmatch="exclude"><Image condition="image">a.exe</Image></NetworkConnect>
</EventFiltering></Sysmon>"""
SUSPECT = GOOD.replace('"image"', '"is"')
WITH_ERRORS = SUSPECT.replace("Image", "Imag").replace('"is"', '"iss"')
OLD = SUSPECT.replace("4.90", "3.30")


def run(*arguments: str, input: str | bytes | None = None) -> Result:
    return invoke("config", "check", *arguments, input=input)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a file of each kind."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"good": GOOD, "suspect": SUSPECT, "errors": WITH_ERRORS, "old": OLD}.items():
        (tmp_path / f"{name}.xml").write_text(text)
    return tmp_path


WARNING = "2:35: warning: found Image is 'a.exe', which never matches: it holds the full path; write image 'a.exe'\n"


@pytest.mark.usefixtures("write")
def test_findings_go_to_stdout_and_a_summary_to_stderr() -> None:
    result = run("good.xml", "suspect.xml")
    assert result.exit_code == 0
    assert result.stdout == f"suspect.xml:{WARNING}"
    about = "schema 4.90, 1 NetworkConnect element (0 include, 1 exclude) with 1 filter; what matches none is logged"
    assert result.stderr == f"good.xml: {about}; 0 errors, 0 warnings\nsuspect.xml: {about}; 0 errors, 1 warning\n"


@pytest.mark.usefixtures("write")
def test_strict_fails_for_warnings_only() -> None:
    assert run("--strict", "good.xml").exit_code == 0
    assert run("--strict", "suspect.xml").exit_code == 1


@pytest.mark.usefixtures("write")
def test_errors_give_1_and_stop_the_other_checks() -> None:
    """The warnings of a file of which parts were left out would not be true."""
    result = run("errors.xml")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert all(line.startswith("errors.xml:2:35: error: found ") for line in lines)
    assert "did you mean 'is'?" in lines[0]
    assert "did you mean 'Image'?" in lines[1]
    assert "once the errors are fixed, or with --lenient; 2 errors, 0 warnings" in result.stderr


@pytest.mark.usefixtures("write")
def test_lenient_reads_on() -> None:
    """An old schema is a warning then, and the rules are checked."""
    assert run("old.xml").exit_code == 1
    result = run("--lenient", "old.xml")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines(keepends=True)
    assert first.startswith("old.xml:1:1: warning: found schemaversion 3.30")
    assert second == f"old.xml:{WARNING}"


@pytest.mark.usefixtures("write")
def test_notes_are_shown_on_request() -> None:
    option = GOOD.replace("<EventFiltering>", "<HashAlgorithms>*</HashAlgorithms><EventFiltering>")
    assert ": note: " not in run("-", input=option).stdout
    assert "1 note (--notes)" in run("-", input=option).stderr
    assert "stdin:1:30: note: option HashAlgorithms is not applied" in run("--notes", "-", input=option).stdout


@pytest.mark.usefixtures("write")
def test_json_is_one_object_a_finding() -> None:
    result = run("--to", "json", "suspect.xml", "errors.xml")
    first, *others = [json.loads(line) for line in result.stdout.splitlines()]
    place, _, text = WARNING.rstrip().partition(": warning: ")
    assert first == {"file": "suspect.xml", "line": 2, "column": 35, "severity": "warning", "text": text}
    assert place == "2:35"
    assert [other["severity"] for other in others] == ["error", "error"]


@pytest.mark.usefixtures("write")
def test_file_that_cannot_be_read_gives_2_after_the_others() -> None:
    result = run("nothing.xml", "errors.xml")
    assert result.exit_code == 2
    assert result.stderr.startswith("procwire: cannot read nothing.xml: No such file or directory\n")
    assert "errors.xml:2:35: error: " in result.stdout


@pytest.mark.parametrize("data", [b"", b"no XML", b"ElfFile\x00\x00\x01", b"\xff\xfe\xff", b"<Sysmon>" * 3, b"<a/>"])
def test_what_is_no_configuration_is_one_error(data: bytes) -> None:
    """With its place; a log given by mistake, too."""
    result = run("-", input=data)
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    assert line.startswith("stdin:1:")
    assert ": error: found " in line


def test_control_characters_are_not_printed() -> None:
    """A terminal would obey them."""
    result = run("-", input=SUSPECT.replace("a.exe", "a\u202eexe."))
    assert "\u202e" not in result.output
    assert "\ufffd" in result.stdout


def test_group_alone_shows_its_verbs() -> None:
    result = invoke("config")
    assert "check" in result.output


OTHERS = """<Sysmon schemaversion="4.90"><EventFiltering>
<ProcessCreate onmatch="exclude"><Image condition="is">a.exe</Image>
<Image condition="is">a.exe</Image></ProcessCreate>
<NetworkConnect onmatch="exclude"><Image condition="is">b.exe</Image></NetworkConnect>
<ImageLoad onmatch="exclude"><Image condition="is">c.exe</Image></ImageLoad>
</EventFiltering></Sysmon>"""


def test_findings_about_other_events_come_last_and_in_short() -> None:
    result = run("-", input=OTHERS)
    lines = result.stdout.splitlines()
    assert [line.partition(" warning")[0] for line in lines] == ["stdin:4:35:", "stdin:2:34:", "stdin:5:30:"]
    assert lines[1].endswith("; 2 more warnings about ProcessCreate, line 3")
    assert "; 0 errors, 5 warnings" in result.stderr
    found = [json.loads(line) for line in run("-", "--to", "json", input=OTHERS).stdout.splitlines()]
    assert [finding["line"] for finding in found] == [4, 2, 3, 3, 5]
