"""`procwire sigma check`: which rules run, which can match nothing in the data or under a configuration, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Result, invoke
from event_rows import Row
from sigma_cases import document

WINDOWS = (
    "<Sysmon schemaversion='4.90'><EventFiltering><NetworkConnect onmatch='include'>{}</NetworkConnect>"
    "</EventFiltering></Sysmon>"
)


def check(*arguments: str | Path) -> Result:
    return invoke("sigma", "check", *map(str, arguments))


def verdict(tmp_path: Path, rule: str, *arguments: str | Path) -> Row:
    """Return what is reported about the only rule."""
    path = tmp_path / "rule.yml"
    path.write_text(rule)
    result = check(path, *arguments, "--to", "ndjson")
    [line] = result.stdout.splitlines()
    row: Row = json.loads(line)
    bad = row["status"] in ("cannot match", "filtered", "not run")
    assert result.exit_code == int(bad)
    return row


@pytest.mark.parametrize(
    ("detection", "product", "status", "reason"),
    [
        ("DestinationPort: 5355", "windows", "matches", ""),
        ("DestinationPort: 1", "windows", "runs", ""),
        ("DestinationPort: 1", "linux", "cannot match", "is for linux, and no event here comes from it"),
        ("RuleName|contains: x", "windows", "cannot match", "needs RuleName, which never has a value here"),
        ("Initiated: 'true'\nRuleName: x", "windows", "cannot match", "needs RuleName, which never has a value here"),
        # One way of two is open; and what is never there can be asked to be missing.
        ("a:\n  RuleName: x\nb:\n  DestinationPort: 1\ncondition: a or b", "windows", "runs", "without RuleName,"),
        ("RuleName: null\nDestinationPort: 5355", "windows", "matches", ""),
        (
            "a:\n  DestinationPort: 5355\nb:\n  RuleName: x\ncondition: a and not b",
            "windows",
            "matches",
            "without Rule",
        ),
        ("Protocol: icmp", "windows", "cannot match", "no event here has the Protocol that it requires"),
        ("IntegrityLevel: x\nDestinationPort: 1", "windows", "runs", ""),
        (
            "QueryName: x",
            "windows",
            "cannot match",
            "needs QueryName of DNS queries (Sysmon's event 22), which no event here has",
        ),
    ],
)
def test_what_the_data_never_have_is_reported(
    tmp_path: Path, example_log: Path, detection: str, product: str, status: str, reason: str
) -> None:
    found = verdict(tmp_path, document(detection, product=product), example_log)
    assert (found["status"], found["reason"][: len(reason)]) == (status, reason)
    assert (found["matches"] > 0) == (status == "matches")


def test_names_that_were_not_resolved_are_reported(tmp_path: Path, example_log: Path) -> None:
    """In a log whose hosts have no name; with the process's creation it is likewise."""
    bare = tmp_path / "bare.ndjson"
    columns = "process_name,dst_ip,dst_port,provider_name,event_id,computer_name,channel,event_creation_time"
    made = invoke("read", str(example_log), "--names", "sysmon", "--columns", _sysmon(columns), "-o", str(bare))
    assert made.exit_code == 0
    found = verdict(tmp_path, document("DestinationHostname|endswith: .x"), bare)
    assert found["reason"].startswith("needs DestinationHostname, and no host's name was resolved")
    found = verdict(tmp_path, document("CommandLine|contains: x"), bare)
    assert found["reason"].startswith("needs CommandLine of the process's creation (Sysmon's event 1)")


def _sysmon(columns: str) -> str:
    from procwire.event import field

    return ",".join(field(name).sysmon for name in columns.split(","))


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ("<Image condition='end with'>\\notepad.exe</Image>", "runs"),
        ("<Image condition='end with'>\\other.exe</Image>", "filtered"),
        ("<DestinationPort>4444</DestinationPort>", "runs"),
    ],
)
def test_configuration_that_does_not_log_it_is_reported(tmp_path: Path, filters: str, status: str) -> None:
    """By events that are made up to match."""
    config = tmp_path / "sysmon.xml"
    config.write_text(WINDOWS.format(filters))
    found = verdict(tmp_path, document("Image|endswith: '\\notepad.exe'\nDestinationPort: 4444"), "--config", config)
    assert found["status"] == status
    if status == "filtered":
        assert found["reason"].endswith("such as Image C:\\notepad.exe, DestinationPort 4444")


def test_configuration_that_logs_none_of_the_matches_is_reported(tmp_path: Path, example_log: Path) -> None:
    config = tmp_path / "sysmon.xml"
    config.write_text(WINDOWS.format("<DestinationPort>1</DestinationPort>"))
    found = verdict(tmp_path, document("DestinationPort: 5355"), example_log, "--config", config)
    assert (found["status"], found["reason"]) == ("filtered", "the Sysmon configuration logs none of them")
    config.write_text(WINDOWS.format("<DestinationPort>5355</DestinationPort>"))
    found = verdict(tmp_path, document("DestinationPort: 5355"), example_log, "--config", config)
    assert (found["status"], found["reason"]) == ("matches", "")


def test_report_has_a_line_for_each_rule(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(document("DestinationPort: 1"))
    (tmp_path / "b.yml").write_text(document("Nonsense: 1"))
    (tmp_path / "c.yml").write_text(document("Image: x", category="process_creation"))
    (tmp_path / "a.test.yml").write_text("- {match: false, event: {Image: x}}\n")
    result = check(tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{tmp_path / 'a.yml'}:1: runs: A",
        f"{tmp_path / 'b.yml'}:1: not run: A: found field Nonsense, which connections do not have",
    ]
    assert result.stderr == "3 rules: 1 run, 1 not run, 1 not ours\n"
    (tmp_path / "b.yml").unlink()
    result = check(tmp_path, "--all")
    assert result.exit_code == 0
    assert "c.yml:1: not ours: A: found category process_creation, expected" in result.stdout


def test_sql_can_be_run_as_it_is(tmp_path: Path, example_log: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(document("DestinationPort: 5355"))
    shown = check(path, "--sql")
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"-- A\n-- {path}:1\nSELECT * FROM connections\nWHERE ")
    (tmp_path / "rule.sql").write_text(shown.stdout)
    asked = invoke("sql", "--file", str(tmp_path / "rule.sql"), str(example_log))
    assert asked.exit_code == 0
    found = verdict(tmp_path, path.read_text(), example_log)
    assert len(asked.stdout.splitlines()) == found["matches"]


def test_log_that_is_not_there_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(document("DestinationPort: 1"))
    assert check(tmp_path, "nowhere.evtx").exit_code == 1
    assert check(tmp_path / "nowhere").exit_code == 2


def test_warnings_are_lines_and_leave_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"tags: [sysmon]\n{document('Image: a')}")
    (tmp_path / "workflow.yml").write_text("on: push\njobs: {}\n")
    result = check(tmp_path)
    assert result.exit_code == 0
    runs, warning = result.stdout.splitlines()
    assert runs == f"{tmp_path}/a.yml:1: runs: A"
    assert warning.startswith(f"{tmp_path}/a.yml:1: warning: found tag 'sysmon', expected a namespace")
    assert result.stderr == "1 rule: 1 run; 1 with warnings; 1 YAML document without a rule (--all)\n"
    assert f"{tmp_path}/workflow.yml:1: no rule: found YAML without" in check(tmp_path, "--all").stdout
    first = json.loads(check(tmp_path, "--to", "ndjson").stdout.splitlines()[0])
    assert [text.partition(",")[0] for text in first["warnings"]] == ["found tag 'sysmon'"]


def test_rule_that_can_never_match_is_a_fault(tmp_path: Path) -> None:
    row = verdict(tmp_path, document("DestinationPort: https"))
    assert row["status"] == "cannot match"
    assert row["reason"] == "found 'https' for DestinationPort, expected a number; so it can never match"


def test_lists_give_placeholders_their_values(tmp_path: Path, example_log: Path) -> None:
    (tmp_path / "rule.yml").write_text(document("DestinationPort|expand: '%ports%'"))
    (tmp_path / "rule.test.yml").write_text("- {match: true, event: {DestinationPort: 5355}}")
    (tmp_path / "ports.txt").write_text("5355\n")
    given = ("--list", f"ports={tmp_path / 'ports.txt'}")
    rule = tmp_path / "rule.yml"
    assert check(rule).exit_code == 1
    assert ": matches: A: " in check(rule, str(example_log), *given).stdout
    assert invoke("sigma", "test", str(rule), *given).exit_code == 0
    assert invoke("detect", str(example_log), "--rules", str(rule), *given, "--to", "ndjson").exit_code == 4
    unused = check(rule, *given, "--list", f"other={tmp_path / 'ports.txt'}")
    assert unused.stderr == "1 rule: 1 run; no rule asks for the list other\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ports", "found --list ports, expected NAME=FILE"),
        ("=a", "found --list =a, expected NAME=FILE"),
        ("ports=nowhere", "cannot read nowhere, the values of ports: "),
    ],
)
def test_list_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "rule.yml").write_text(document("Image: a"))
    result = check(tmp_path, "--list", text)
    assert result.exit_code == 2
    assert expected in result.stderr
