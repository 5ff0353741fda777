"""Sigma rules that are broken, or made to do harm: each is a finding with its place, and the others run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import ExitStack
from pathlib import Path

import pytest

from command_line import Result, invoke
from procwire.recorder import RecordingLedger
from procwire.recorder.detection import Alerting, first_rules
from procwire.recorder.notices import Notice
from procwire.recorder.settings import recording_settings
from procwire.sigma import load
from procwire.signals import Hangups

HEAD = "title: A rule\nlogsource:\n  category: network_connection\n"
BODY = "detection:\n  s:\n    DestinationPort: 443\n  condition: s\n"
GOOD = HEAD + BODY


def having(line: str) -> str:
    """A rule with a line more, which is its fourth."""
    return f"{HEAD}{line}\n{BODY}"


def asking(field: str) -> str:
    """A rule that asks for this instead of a port."""
    return GOOD.replace("DestinationPort: 443", field)


def under(condition: str) -> str:
    """A rule with this condition."""
    return GOOD.replace("condition: s", f"condition: {condition}")


PAIRS = zip("abcdefgh", "bcdefghi", strict=True)
LAUGHS = "".join(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in PAIRS)
MERGED_LAUGHS = LAUGHS.replace("[", "{<<: [").replace("]", "]}")
BROKEN: dict[str, tuple[str, int | None, str]] = {
    "a text for a time": (having("date: !!timestamp foo"), 4, "found 'foo', expected a value of type timestamp"),
    "5,000 digits": (having(f"x: {'9' * 5000}"), 4, "expected a value of type int"),
    "5,000 digits as a port": (asking(f"DestinationPort: {'9' * 5000}"), 6, "expected a value of type int"),
    "5,000 hexadecimal digits as a port": (asking(f"DestinationPort: 0x{'f' * 5000}"), 1, "Invalid number"),
    "no number": (having("x: !!int ''"), 4, "found '', expected a value of type int"),
    "no fraction": (having("x: !!float ''"), 4, "found '', expected a value of type float"),
    "no flag": (having("x: !!bool foo"), 4, "found 'foo', expected a value of type bool"),
    "no base64": (having("x: !!binary 'a'"), 4, "failed to decode base64 data"),
    "more than any float": (asking("DestinationPort: 1.0e+999"), 1, "Invalid number"),
    "infinity": (asking("DestinationPort|lt: .inf"), 1, "Invalid number"),
    "not a number": (asking("DestinationPort: .nan"), 1, "Invalid number"),
    "bytes": (asking("Image: !!binary aGVsbG8="), 1, "found bytes for Image, expected a text or a number"),
    "a Python object": (having("x: !!python/object/apply:os.system [id]"), 4, "could not determine a constructor"),
    "a tag of its own": (having("x: !colour red"), 4, "could not determine a constructor for the tag '!colour'"),
    "a list that holds itself": (having("x: &a [*a]"), 4, "found an alias of what it stands in"),
    "a mapping that merges itself": (having("x: &a\n  <<: *a"), 4, "found an alias of what it stands in"),
    "a detection that holds itself": (
        f"{HEAD}detection: &a\n  s: *a\n  condition: s\n", 4, "found an alias of what it stands in",
    ),
    "a billion laughs": (having(f"a: &a [{', '.join('x' * 10)}]\n{LAUGHS}"), 9, "found more than 250,000 keys"),
    "a billion merged laughs": (
        having(f"a: &a {{k: 1}}\n{MERGED_LAUGHS}"), 9, "found more than 250,000 keys",
    ),
    "too many values": (asking(f"DestinationPort: [{', '.join(map(str, range(250_001)))}]"), 6, "found more than 250"),
    "nesting": (having("x: " + "[" * 5000 + "]" * 5000), 4, "exceeded maximum nesting depth"),
    "nesting that YAML allows": (having("x: " + "[" * 500 + "]" * 500), 4, "found more than 100 levels"),
    "nesting in blocks": (having("x:\n" + "".join(" " * n + "a:\n" for n in range(1, 300))), 103, "more than 100"),
    "a NUL": (having("x: \0"), None, "is not YAML: unacceptable character #x0000"),
    "an escaped NUL": (asking('Image: "a\\0"'), 1, "found characters of UTF-16"),
    "a NUL in an expression": (asking('Image|re: "a\\0b"'), 1, "found an expression with a NUL"),
    "half a character": (having('x: "\\ud800"'), 4, "found invalid Unicode character escape code"),
    "a list as a key": (having("? [a]\n: b"), 4, "found unhashable key"),
    "a mapping as a key": (having("? {a: b}\n: b"), 4, "found unhashable key"),
    "a key twice": (having("title: Another"), 4, "found key 'title' twice in a mapping"),
    "a selection twice": (GOOD.replace("  condition", "  s:\n    Image: a\n  condition"), 7, "found key 's' twice"),
    "a condition that is a number": (under("5"), 1, ""),
    "a condition that is a mapping": (under("{a: b}"), 1, ""),
    "a condition of many nots": (under("not " * 500 + "s"), 1, "is nested too deeply"),
    "a condition of many alternations": (under("(s or (not s and " * 60 + "s" + "))" * 60), 1, "nested more than 100"),
    "a condition that is long": (under(" or ".join(["s"] * 3000)), 1, "found a condition of 14,996 characters"),
    "a condition that multiplies": (
        under(" or ".join(["s"] * 900)).replace("443", f"[{', '.join(map(str, range(1000)))}]"), 1,
        "found 1,000 values, and a condition of 900 names, which may make 900,000 tests; expected 250,000 at most",
    ),
    "no detection": (f"{HEAD}detection:\n", 1, "found no detection, expected selections and a condition"),
    "a field that is a number": (asking("5: a"), 1, ""),
    "a field that is a date": (asking("2024-01-01: a"), 1, ""),
    "a value that is a date": (asking("Image: 2024-01-01"), 1, "; write it in quotes"),
    "a value that is a mapping": (asking("Image: {a: b}"), 1, "found a mapping for Image, expected"),
    "a value that is a set": (asking("Image: !!set {a, b}"), 1, "for Image, expected a text or a number"),
    "modifiers that multiply": (asking(f"Image|{'base64offset|' * 12}contains: a"), 1, "modifiers at most, each once"),
    "modifiers that double": (asking(f"Image|{'wide|' * 40}base64: a"), 1, "8 modifiers at most, each once"),
    "repetitions of repetitions": (asking("Image|re: '((a{1,100}){1,100}){1,100}'"), 1, "invalid repetition size"),
    "an expression that is large": (asking("Image|re: '" + "[\\pL]{1000}" * 20 + "'"), 1, "pattern too large"),
    "a log source that is a list": (GOOD.replace("\n  category: network_connection", " [a]"), 1, "found logsource"),
    "a correlation that is a number": ("title: A rule\ncorrelation: 5\n", 1, "field must be a dict"),
    "a filter that is a number": ("title: A rule\nfilter: 5\n", 1, "found a filter that is no mapping"),
    "an alias of nothing": ("a: *b\n", 1, "found undefined alias"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a rule that runs."""
    (tmp_path / "good.yml").write_text(GOOD)
    return tmp_path


def check(*arguments: str | Path) -> Result:
    return invoke("sigma", "check", *map(str, arguments), "--to", "ndjson")


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_a_broken_rule_is_one_finding_and_the_others_run(folder: Path, case: str) -> None:
    text, line, reason = BROKEN[case]
    (folder / "bad.yml").write_text(text, newline="")
    found = load([folder])
    assert [rule.title for rule in found.rules] == ["A rule"]
    [problem] = found.problems
    assert problem.path == str(folder / "bad.yml")
    assert problem.line == line
    assert reason in problem.reason
    assert "\n" not in problem.reason
    assert len(problem.reason) < 1000


def test_every_broken_rule_at_once(folder: Path, example_log: Path) -> None:
    """`rules check` reports each with its place and ends with 1; `detect` runs those that run."""
    for number, (text, _, _) in enumerate(BROKEN.values()):
        (folder / f"bad-{number}.yml").write_text(text, newline="")
    result = check(folder)
    reported = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert {row["status"] for row in reported} == {"runs", "not run"}
    assert len(reported) == len(BROKEN) + 1
    found = invoke("detect", str(example_log), "--rules", str(folder), "--to", "ndjson")
    assert found.exit_code == 4
    assert f"1 Sigma rule ran; {len(BROKEN)} not run (" in found.stderr


def test_the_other_documents_of_a_file_run(tmp_path: Path) -> None:
    """One whose values cannot be built is skipped; where the text goes wrong as such, those before it run."""
    rules = tmp_path / "rules.yml"
    rules.write_text(
        "\n---\n".join([GOOD, having("date: !!timestamp foo"), GOOD.replace("A rule", "B"), "a: b: c", GOOD])
    )
    found = load([rules])
    assert [rule.title for rule in found.rules] == ["A rule", "B"]
    assert [(problem.line, problem.reason) for problem in found.problems] == [
        (13, "is not YAML: found 'foo', expected a value of type timestamp"),
        (29, "is not YAML: mapping values are not allowed in this context"),
    ]


@pytest.mark.parametrize(
    ("data", "runs"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), True),
        (GOOD.replace("\n", "\r\n").encode(), True),
        (GOOD.encode("utf-16"), False),
        (GOOD.encode("utf-16-be"), False),
        (having("x: ä").encode("latin-1"), False),
        (b"\x1f\x8b\x08\x00", False),
        (b"", None),
    ],
)
def test_encodings(folder: Path, data: bytes, runs: bool | None) -> None:
    """UTF-8, with or without a byte order mark, is read; what is anything else is a finding."""
    (folder / "file.yml").write_bytes(data)
    found = load([folder])
    assert len(found.rules) == 1 + bool(runs)
    assert len(found.problems) == (runs is False)


def test_a_file_that_is_too_large(folder: Path) -> None:
    """It is not read, whatever it holds."""
    with (folder / "large.yml").open("wb") as file:
        file.truncate(100 << 20)
    found = load([folder])
    assert len(found.rules) == 1
    [problem] = found.problems
    assert problem.reason == "cannot be read: found more than 33,554,432 bytes, expected 33,554,432 at most"


def make_folder(path: Path) -> None:
    path.mkdir()
    (path / "inner.yml").write_text(GOOD.replace("A rule", "Inner"))


@pytest.mark.parametrize(
    ("make", "reason", "rules"),
    [
        (make_folder, "found a folder, expected a file with a Sigma rule", 2),
        (os.mkfifo, "found a pipe, socket or device, expected a file with a Sigma rule", 1),
        (lambda path: path.symlink_to("nowhere"), "cannot be read: it links to nothing", 1),
        (lambda path: path.symlink_to(path.name), "cannot be read: it links to nothing", 1),
        (lambda path: path.symlink_to("/dev/zero"), "found a pipe, socket or device, expected", 1),
    ],
)
def test_what_is_no_file(folder: Path, make: Callable[[Path], None], reason: str, rules: int) -> None:
    make(folder / "odd.yml")
    found = load([folder])
    assert len(found.rules) == rules
    [problem] = found.problems
    assert problem.reason.startswith(reason)
    assert problem.path == str(folder / "odd.yml")


def test_a_name_that_is_no_utf_8(folder: Path) -> None:
    name = os.fsdecode(b"b\xffd.yml")
    (folder / name).write_text(having("x: !!int ''"))
    result = check(folder)
    assert result.exit_code == 1
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == [
        str(folder / name),
        str(folder / "good.yml"),
    ]


def test_a_running_recorder_keeps_its_rules(folder: Path) -> None:
    """At SIGHUP, with nothing left but broken rules: the old ones stay, and a notice says so."""
    settings = recording_settings(detect=folder, to="ndjson", stdout_format="ndjson")
    notices: list[Notice] = []
    ledger = RecordingLedger("fake")
    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())
        alerting = Alerting(settings, first_rules([folder], notices.append), [], ledger, hangups, stack, notices.append)
        for text, _, _ in BROKEN.values():
            (folder / "good.yml").write_text(text, newline="")
            os.kill(os.getpid(), signal.SIGHUP)
            alerting.refresh()
            wait([alerting._coming] if alerting._coming else [])
            alerting.refresh()
            assert f"; the Sigma rules loaded at {ledger.detection and ledger.detection.loaded_at} stay" in (
                notices.pop().text
            )
    assert ledger.detection is not None
    assert (ledger.detection.loaded, ledger.detection.refused) == (1, len(BROKEN))


def test_what_nobody_thought_of_does_not_end_a_recording(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = recording_settings(detect=folder, to="ndjson", stdout_format="ndjson")
    notices: list[Notice] = []
    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())
        alerting = Alerting(
            settings, first_rules([folder], notices.append), [], RecordingLedger("fake"), hangups, stack, notices.append
        )
        monkeypatch.setattr(alerting, "_load", lambda: 1 / 0)
        os.kill(os.getpid(), signal.SIGHUP)
        alerting.refresh()
        wait([alerting._coming] if alerting._coming else [])
        alerting.refresh()
    assert "cannot load Sigma rules: ZeroDivisionError: division by zero; the Sigma rules" in notices[-1].text
