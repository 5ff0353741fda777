"""`procwire detect`: which rules run, what it tells of matches, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from command_line import Result, invoke
from event_rows import Row

SVCHOST = """title: Service host
id: 11111111-1111-4111-8111-111111111111
level: low
tags: [attack.t1071]
logsource: {category: network_connection, product: windows}
detection:
  selection: {Image|endswith: '\\svchost.exe', DestinationPort: 5355}
  condition: selection
"""
NEVER = SVCHOST.replace("5355", "1").replace("Service host", "Never").replace("1111-1111", "1111-2222")
HIGH = NEVER.replace("low", "high").replace("Never", "High").replace("1111-2222", "1111-3333")
MANY = """title: Many
id: 22222222-1111-4111-8111-111111111111
level: critical
correlation:
  type: event_count
  rules: [11111111-1111-4111-8111-111111111111]
  group-by: [Computer]
  timespan: 1d
  condition: {gte: 3}
"""


def detect(*arguments: str | Path, **environment: str) -> Result:
    return invoke("detect", *map(str, arguments), env=environment)


def rows(result: Result) -> list[Row]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def put(tmp_path: Path) -> Path:
    """A folder with three rules, one of which matches in the example."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "svchost.yml").write_text(SVCHOST)
    (folder / "never.yml").write_text(NEVER)
    (folder / "high.yml").write_text(HIGH)
    return folder


def test_each_match_is_a_row_with_its_rule_its_reason_and_its_event(put: Path, example_log: Path) -> None:
    """The same events as by SQL; tags and reason are JSON's own, what is null of a recording is left out."""
    result = detect("--rules", put, example_log)
    assert result.exit_code == 4
    query = "SELECT record_id FROM connections WHERE process_name ILIKE '%\\svchost.exe' AND dst_port = 5355"
    asked = invoke("sql", query, str(example_log))
    found = rows(result)
    assert sorted(row["record_id"] for row in found) == sorted(json.loads(x)["record_id"] for x in asked.stdout.split())
    assert len(found) > 1
    first = found[0]
    assert list(first)[:6] == ["rule_id", "rule_title", "rule_level", "rule_tags", "rule_author", "matched"]
    assert (first["rule_level"], first["rule_tags"]) == ("low", ["attack.t1071"])
    assert first["matched"] == {"Image": "C:\\Windows\\System32\\svchost.exe", "DestinationPort": 5355}
    assert first["computer_name"]
    assert not {"correlated_events", "sent_bytes", "dst_ip_bytes"} & set(first)
    assert result.stderr.splitlines()[-2:] == ["3 Sigma rules ran", f"{len(found)} matches"]


def test_nothing_found_ends_with_0(put: Path, example_log: Path) -> None:
    result = detect("--rules", put / "never.yml", example_log)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1] == "nothing found"


def test_damage_without_a_match_ends_with_3(put: Path, example_log: Path, tmp_path: Path) -> None:
    """A match is the graver news: then it is 4."""
    log = tmp_path / "torn.evtx"
    log.write_bytes(example_log.read_bytes()[:500_000])
    assert detect("--rules", put / "never.yml", log).exit_code == 3
    assert detect("--rules", put, log).exit_code == 4


def test_table_counts_by_rule_and_host_and_shows_the_latest(put: Path, example_log: Path) -> None:
    result = detect("--rules", put, example_log, "--to", "table", "--limit", "2", COLUMNS="140")
    count = len(rows(detect("--rules", put, example_log)))
    assert result.exit_code == 4
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["LEVEL", "MATCHES", "RULE", "HOST"]
    assert lines[1].split()[:4] == ["low", str(count), "Service", "host"]
    assert lines[3] == f"The latest 2 of {count} matches"
    heads = [line for line in lines[4:] if not line.startswith(" ")]
    assert len(heads) == 2
    assert heads == sorted(heads, reverse=True)
    assert heads[0].startswith(lines[1].split("  ")[-1])
    assert any(line.strip().startswith("svchost.exe ") and ":5355 udp" in line for line in lines[4:])
    assert any("because Image C:\\Windows\\System32\\svchost.exe, DestinationPort 5355" in line for line in lines)
    assert all(len(line) <= 140 for line in lines)
    assert result.stderr.splitlines()[-1] == f"{count} matches"


def test_level_leaves_out_rules_below_it(put: Path, example_log: Path) -> None:
    result = detect("--rules", put, example_log, "--level", "high")
    assert result.exit_code == 0
    assert "1 Sigma rule of level high and above ran" in result.stderr


def test_correlations_are_reported_with_how_many_events(put: Path, example_log: Path) -> None:
    """And hide the rules that they are made of."""
    (put / "many.yml").write_text(MANY)
    [row] = rows(detect("--rules", put, example_log))
    assert (row["rule_title"], row["rule_level"]) == ("Many", "critical")
    assert row["correlated_events"] >= 3
    assert list(row["matched"]) == ["Computer"]
    table = detect("--rules", put, example_log, "--to", "table").stdout
    assert f"    {row['correlated_events']} events on {row['computer_name']}, " in table


def test_what_does_not_run_is_reported(put: Path, example_log: Path) -> None:
    """Rules about other events are counted; those with mistakes have their place and reason."""
    (put / "other.yml").write_text(NEVER.replace("network_connection", "process_creation"))
    (put / "bad.yml").write_text(NEVER.replace("Image|endswith", "Nonsense"))
    reported = detect("--rules", put, example_log).stderr
    assert "3 Sigma rules ran; 1 not for network connections; 1 not run (" in reported
    assert f"{put / 'bad.yml'}:1: found field Nonsense" in reported


def test_examples_beside_rules_are_no_rules(put: Path, example_log: Path) -> None:
    (put / "never.test.yml").write_text("- match: false\n  event: {Image: x}\n")
    assert "3 Sigma rules ran\n" in detect("--rules", put, example_log).stderr


def test_rules_may_be_named_several_times(put: Path, example_log: Path) -> None:
    result = detect("--rules", put / "never.yml", "--rules", put / "high.yml", example_log)
    assert "2 Sigma rules ran\n" in result.stderr


def test_formats_and_columns(put: Path, example_log: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.parquet"
    assert detect("--rules", put, example_log, "-o", file).exit_code == 4
    table = pq.read_table(file)
    assert {"rule_title", "dst_ip_bytes", "record_id"} <= set(table.column_names)
    assert table.column("rule_tags")[0].as_py() == ["attack.t1071"]
    columns = ["--columns", "rule_title,dst_port"]
    result = detect("--rules", put, example_log, "--to", "csv", "--limit", "1", *columns)
    assert result.stdout.splitlines() == ["rule_title,dst_port", "Service host,5355"]
    assert result.stderr.splitlines()[-1] == "the first 1 match"


def test_a_lake_gives_the_same(put: Path, example_log: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    assert invoke("read", str(example_log), "--lake", str(lake)).exit_code == 0
    by_lake, by_log = (rows(detect("--rules", put, *where)) for where in (["--lake", lake], [example_log]))
    assert sorted(row["record_id"] for row in by_lake) == sorted(row["record_id"] for row in by_log)
    assert detect("--rules", put, "--lake", lake, "--since", "2100-01-01").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--rules", "nowhere"], "found no file or folder nowhere"),
        (["--rules", "{rules}", "--level", "critical", "log"], "found 3 rules below critical; expected a Sigma rule"),
        (["--rules", "{rules}", "log", "--lake", "lake"], "found logs and --lake, expected one of them"),
        (["--rules", "{rules}", "log", "--engine", "spark"], "found logs and --engine spark, expected a lake"),
        (["--rules", "{rules}", "--master", "local"], "found --master, expected --engine spark with it"),
        (["--rules", "{rules}", "log", "--columns", "nonsense"], "found column 'nonsense', expected some of rule_id"),
        (["--rules", "{rules}", "log", "-o", "x.xml"], "found .xml in -o"),
        (["--rules", "{rules}", "--lake", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_used_is_said(put: Path, arguments: list[str], reported: str) -> None:
    result = detect(*(argument.replace("{rules}", str(put)) for argument in arguments))
    assert result.exit_code == 2
    assert reported in result.stderr


def test_log_that_is_not_there_ends_with_1(put: Path) -> None:
    assert detect("--rules", put, "nowhere.evtx").exit_code == 1


def test_terminal_is_not_driven_by_a_rule_or_a_log(put: Path, example_log: Path) -> None:
    """A title may hold what a terminal obeys."""
    (put / "svchost.yml").write_text(SVCHOST.replace("Service host", '"Service\\e[2Jhost"'))
    result = detect("--rules", put, example_log, "--to", "table")
    assert result.exit_code == 4
    assert "\x1b" not in result.stdout
    assert "\x1b" not in detect("--rules", put, example_log).stdout
