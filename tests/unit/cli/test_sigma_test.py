"""`procwire sigma test`: examples beside a rule pass or fail, and say why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Result, invoke
from sigma_cases import document

RULE = document("a:\n  Image|endswith: '\\x.exe'\n  DestinationPort: 4444\nb:\n  DestinationIp|cidr: 10.0.0.0/8\n"
                "condition: a and not b")  # fmt: skip
HIT = "- {match: true, event: {Image: 'C:\\x.exe', DestinationPort: 4444, DestinationIp: 8.8.8.8}}\n"
EXAMPLES = Path(__file__).parents[3] / "examples" / "rules"


def try_rules(*arguments: str | Path) -> Result:
    return invoke("sigma", "test", *map(str, arguments))


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.yml"
    path.write_text(RULE)
    return path


@pytest.mark.parametrize(
    ("example", "reported"),
    [
        (HIT, "ok: matches 'A' because Image C:\\x.exe, DestinationPort 4444"),
        (HIT.replace("true", "false"), "FAILED: matches 'A' because Image C:\\x.exe, DestinationPort 4444"),
        (HIT.replace("4444", "443"), "FAILED: does not match: not met dst_port = 4444"),
        (HIT.replace("8.8.8.8", "10.1.1.1"), "FAILED: does not match: excluded by dst_ip_bytes BETWEEN"),
        (HIT.replace("true", "false").replace("4444", "443"), "ok: does not match: not met dst_port = 4444"),
        # Sysmon's text for what is missing; an alias; a number as text.
        (HIT.replace("8.8.8.8", "'-'"), "ok: matches"),
        (HIT.replace("DestinationPort: 4444", "destinationport: '4444'"), "ok: matches"),
    ],
)
def test_example_passes_or_fails_and_says_why(rule: Path, example: str, reported: str) -> None:
    (rule.parent / "rule.test.yml").write_text(example)
    result = try_rules(rule)
    assert result.stdout.startswith(f"{rule.parent / 'rule.test.yml'}: 1: {reported}")
    assert result.exit_code == int(reported.startswith("FAILED"))
    assert result.stderr == f"{int(reported.startswith('ok'))} of 1 examples pass\n"


def test_folder_tests_all_that_have_examples(rule: Path) -> None:
    (rule.parent / "rule.test.yml").write_text(HIT)
    (rule.parent / "other.yml").write_text(RULE)
    (rule.parent / "bad.yml").write_text(document("Nonsense: 1"))
    assert try_rules(rule.parent).exit_code == 0
    (rule.parent / "bad.test.yml").write_text(HIT)
    result = try_rules(rule.parent)
    assert result.exit_code == 1
    assert "bad.yml does not run: found field Nonsense" in result.stdout


def test_examples_of_another_file(rule: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.yml"
    event = "{Image: 'C:\\x.exe', DestinationPort: 4444, DestinationIp: 8.8.8.8}"
    more.write_text(f"- name: plain\n  match: true\n  event: {event}\n")
    result = try_rules(rule, "--events", more, "--to", "ndjson")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "path": str(more),
        "number": 1,
        "name": "plain",
        "passed": True,
        "text": "matches 'A' because Image C:\\x.exe, DestinationPort 4444",
    }


@pytest.mark.parametrize(
    ("examples", "reported"),
    [
        ("- {match: 1, event: {Image: x}}", "example 1: found match 1, expected true or false"),
        ("- {event: {Image: x}}", "example 1: found keys event, expected match, and event or events"),
        ("- {match: true}", "example 1: found keys match, expected match, and event"),
        ("- {match: true, event: x}", "example 1: found no event, expected fields"),
        ("- {match: true, event: {Nonsense: x}}", "example 1: found field Nonsense"),
        ("- {match: true, event: {DestinationPort: x}}", "example 1: found DestinationPort 'x', expected a value of"),
        (
            "- {match: true, event: {DestinationIp: 1.2.3}}",
            "found DestinationIp '1.2.3', expected a value of",
        ),
        ("- {match: true, event: {Initiated: 1}}", "found Initiated 1, expected a value of kind flag"),
        ("match: true", "found a dict, expected a list of examples"),
        ("", "found nothing, expected a list of examples"),
        ("- {", "is not YAML"),
    ],
)
def test_mistakes_in_examples_are_reported(rule: Path, examples: str, reported: str) -> None:
    (rule.parent / "rule.test.yml").write_text(examples)
    result = try_rules(rule)
    assert result.exit_code == 2
    assert reported in result.stderr


def test_rule_without_examples_is_no_success(rule: Path) -> None:
    result = try_rules(rule)
    assert result.exit_code == 2
    assert "found no examples, expected them in " in result.stderr
    assert "rule.test.yml" in result.stderr


def test_our_own_rules_pass() -> None:
    """Among them one for Linux, and one that correlates, whose examples are several events."""
    result = try_rules(EXAMPLES)
    assert (result.exit_code, result.stderr) == (0, "11 of 11 examples pass\n")
    assert "of Computer WS1, ProcessGuid" in result.stdout


def test_a_folder_without_rules_is_reported(tmp_path: Path) -> None:
    result = try_rules(tmp_path)
    assert result.exit_code == 2
    assert result.stderr == f"procwire: found no examples, expected them in {tmp_path}/RULE.test.yml\n"
