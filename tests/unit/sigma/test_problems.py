"""What does not run is reported with its reason; nothing is left out silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.errors import UsageError
from procwire.sigma import load
from sigma_cases import document, loaded

BROKEN = {
    "a placeholder": ("Image|expand: '%tools%'", "found placeholder %tools%, expected its values in its place"),
    "an unknown field": ("Colour: 'red'", "found field Colour, which connections do not have"),
    "an unknown modifier": ("Image|colour: 'red'", "found modifier colour in Image|colour; did you mean"),
    "an unknown selection": (
        "a:\n  Image: 'a'\ncondition: b",
        "found b in the condition, which is no selection, expected one of a",
    ),
    "a selection that fits none": ("a:\n  Image: 'a'\ncondition: 1 of b*", "Selector '1 of b*' doesn't match any"),
    "a condition with a pipe": ("a:\n  Image: 'a'\ncondition: a | count() > 5", "The pipe syntax in Sigma conditions"),
    "look-behind": ("Image|re: '(?<=a)b'", "Regular expression '(?<=a)b' is invalid: invalid perl operator: (?<="),
    "no expression": ("Image|re: '('", "Regular expression '(' is invalid: missing ): ("),
    "cidr of a text": ("Image|cidr: '10.0.0.0/8'", "found cidr for Image, expected a field of addresses"),
    "no network": ("DestinationIp|cidr: '10.0.0.1/8'", "Invalid CIDR expression: 10.0.0.1/8 has host bits set"),
    "a text that is compared": ("Image|gt: 4", "found Image compared with a number, expected a field of numbers"),
    "a part of a text": ("Image|hour: 4", "found hour of Image, expected a field of times"),
    "UTF-16 in a text": ("Image|wide|contains: 'ab'", "found characters of UTF-16, expected base64 after them"),
    "fields of different kinds": ("Image|fieldref: SourcePort", "found Image compared with SourcePort, expected two"),
    "nothing without a field": ("a: [null]\ncondition: a", "found SigmaNull without a field, expected a text"),
}


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_rule_with_a_problem(case: str) -> None:
    detection, reason = BROKEN[case]
    found = loaded(document(detection))
    assert found.rules == ()
    [problem] = found.problems
    assert problem.reason.startswith(reason)
    assert (problem.line, problem.title) == (1, "A")
    assert "\n" not in problem.reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("category: process_creation", "found category process_creation, expected one of network_connection,"),
        ("service: security", "found service security, expected one of network_connection,"),
        ("product: windows", "found no category, expected one of network_connection,"),
        ("category: firewall\n    product: cisco", "found product cisco, expected windows, linux, or none"),
    ],
)
def test_log_source_that_is_not_ours(source: str, reason: str) -> None:
    text = document("Image: 'a'").replace("category: network_connection\n    product: windows", source)
    [problem] = loaded(text).problems
    assert problem.reason.startswith(reason)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Each is reported by its path, and, where there is one, the line; the rules around it run."""
    (tmp_path / "bad.yml").write_text("a: [b\nc: d")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.yaml").write_text("---\n" + document("Image: 'a'") + "---\n- 1\n---\nx: 1\n")
    (tmp_path / "notes.txt").write_text("no rule")
    (tmp_path / "empty").mkdir()
    found = load([tmp_path, tmp_path / "deep" / "good.yaml", tmp_path / "empty"])
    assert [rule.title for rule in found.rules] == ["A"]
    shown_text = {(Path(problem.path).name, problem.line): problem.reason for problem in found.problems}
    assert shown_text["bad.yml", 2].startswith("is not YAML: ")
    assert shown_text["binary.yml", None].startswith("cannot be read: 'utf-8' codec can't decode byte 0xff")
    assert shown_text["good.yaml", 11] == "found a list, expected a Sigma rule: a mapping"
    assert shown_text["good.yaml", 13] == "found YAML without logsource and detection, expected a Sigma rule"
    assert [problem.line for problem in found.problems if problem.kind == "no rule"] == [11, 13]
    assert shown_text["empty", None] == "found no file *.yml or *.yaml, expected Sigma rules"
    assert len(shown_text) == 5


def test_regular_expression_with_a_mistake_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 itself would write to stderr."""
    loaded(document("Image|re|i: '('"))
    assert capfd.readouterr().err == ""


def test_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found no file or folder .*nowhere, expected Sigma rules"):
        load([tmp_path / "nowhere"])
