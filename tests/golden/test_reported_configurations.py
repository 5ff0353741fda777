"""What `config check` says of configurations from public reports: each has its expectation, and none is left out."""

# ruff: noqa: E501 - lines of output

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import invoke

REPORTS = Path(__file__).parent.parent / "data" / "reports" / "config"
ALL = (
    'one of them always matches, so everything is included; for both at once put them into a <Rule groupRelation="and">'
)

EXPECTED: dict[str, tuple[int, tuple[str, ...]]] = {
    "always_and_isnot": (0, ("1:161: warning: found Image is not 'C:\\b.exe' beside Image is not 'C:\\a.exe' in line 1: "
                             "one filter of Image is enough, even under groupRelation and, and one of them always",)),
    "always_excludes": (0, ("1:160: warning: found Image excludes 'firefox' beside Image excludes 'chrome' in line 1: one "
                            "is enough, so only a text that contains 'chrome' and contains 'firefox' does not match",)),
    "always_isnot_and_is": (0, (ALL,)),
    "always_notbegin": (0, (ALL,)),
    "always_or_isnot": (0, (ALL,)),
    "always_rule_or": (0, ("found Image is not 'C:\\b.exe' beside Image is not 'C:\\a.exe' in line 1: one is enough, and "
                           + ALL,)),
    "ampersand": (1, ("1:93: error: found XML that does not parse: not well-formed (invalid token); a & by itself is",)),
    "bom": (0, ()),
    "cidr_in_ip": (0, (
        "without a <RuleGroup groupRelation>", "addresses are compared as text, without ranges; write begin with '10.'",
        "Sysmon has no wildcards; write begin with '192.168.'", "write '0:0:0:0:0:0:0:1'", "write begin with 'fe80:0:0:0:'",
        "ports are numbers from 0 to 65535, without leading zeros", "found %SystemRoot% in", "compares text and not numbers",
        "found Initiated is '0', which never matches: it holds true or false; so the entire element never matches",
    )),
    "dashes_comment": (1, ("1:37: error: found '--' in a comment, where XML does not allow it; write '- -', or '=='",)),
    "doctype": (1, ("1:51: error: found the declaration of entity 'x', expected none",)),
    "latin1": (0, ()),
    "leading_blank_decl": (1, ("2:1: error: found a blank line before <?xml, which may only begin the file; delete it",)),
    "linux_windows_paths": (0, ("found Image image 'curl', which never matches on Linux",)),
    "never_and_rule": (0, ("found a <Rule> that never matches: Image is 'C:\\a.exe' (line 1) and Image is 'C:\\b.exe'",)),
    "schema330": (1, ("1:1: error: found schemaversion 3.30, expected 4.0 or later: Sysmon refuses older ones",)),
    "schema491": (0, ()),
    "schema5": (0, ()),
    "swift43_html_page": (1, ("1:1: error: found a saved web page (HTML), expected a configuration; download the file",)),
    "swift81_include_exclude_one_group": (0, (
        '3:1: warning: found <NetworkConnect onmatch="exclude"> in one <RuleGroup> with that of line 2: in Sysmon\'s '
        "published code (from schema 4.81 on) both count, exclude first, but users report that Sysmon 10",
    )),
    "sysinternals283_order": (0, ('3:35: warning: found <NetworkConnect onmatch="include"> in one <RuleGroup> with that',)),
    "sysmonlinux75_rulename": (0, ()),
    "sysmonmodular142": (0, ("3:26: warning: found condition 'is any' under schema 4.30", "4:26: warning: found Image is not "
                             "'c:\\Windows\\System32\\dsamain.exe' beside Image is not 'C:\\Windows\\System32\\lsass.exe' "
                             "in line 3: one is enough, and " + ALL)),
    "utf16": (0, ()),
}  # fmt: skip
"""The exit code, and a part of each line on stdout, in their order."""

READ_ON = ("dashes_comment", "leading_blank_decl", "schema330")


def test_every_report_has_an_expectation() -> None:
    assert {path.stem for path in REPORTS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_findings(name: str) -> None:
    exit_code, parts = EXPECTED[name]
    result = invoke("config", "check", str(REPORTS / f"{name}.xml"))
    assert result.exit_code == exit_code
    lines = result.stdout.splitlines()
    assert len(lines) == len(parts), lines
    for line, part in zip(lines, parts, strict=True):
        assert part in line


@pytest.mark.parametrize("name", [name for name, (code, _) in EXPECTED.items() if code])
def test_lenient_reads_on_where_nothing_is_lost(name: str) -> None:
    result = invoke("config", "check", "--lenient", str(REPORTS / f"{name}.xml"))
    assert result.exit_code == (0 if name in READ_ON else 1)


@pytest.mark.parametrize("name", READ_ON)
def test_recordings_and_readings_are_as_lenient(name: str, example_log: Path) -> None:
    config = ("--config", str(REPORTS / f"{name}.xml"), "--to", "ndjson")
    assert invoke("read", str(example_log), *config).exit_code == 2
    assert invoke("read", str(example_log), *config, "--lenient").exit_code == 0
