"""`procwire config explain` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

import procwire
from command_line import Result, invoke
from procwire.cli.verbs import verb_named
from procwire.sysmon.evaluate import decide
from procwire.sysmon.forms import sysmon_texts
from procwire.sysmon.parse import load
from procwire.sysmon.sql import compile_sql

CONFIG = Path(__file__).parents[3] / "examples" / "configs" / "server-windows.xml"


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return invoke("config", "explain", *map(str, arguments), input=input)


def document(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--to", "json").stdout)


def test_explanation_has_logic_and_sql() -> None:
    """Every filter stands at its line, and the SQL is the compiler's."""
    result = run(CONFIG)
    configuration = load(CONFIG)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{CONFIG}: Sysmon configuration, schema 4.90: 3 elements")
    logic, _, sql = result.stdout.partition("As SQL")
    numbers = {int(line.split()[0]) for line in logic.splitlines() if line[:5].strip().isdigit()}
    for element in configuration.elements:
        assert {element.place.line, *(filter_.place.line for filter_ in element.filters)} <= numbers
    assert sql.partition("\n")[2].rstrip("\n") == compile_sql(configuration)


def test_json_has_the_same() -> None:
    explained = document(CONFIG)
    assert [element["onmatch"] for element in explained["elements"]] == ["exclude", "include", "include"]
    assert explained["sql"] == compile_sql(load(CONFIG))


def test_sql_is_a_query_that_runs(example_log: Path) -> None:
    connections = procwire.read(example_log)
    found = duckdb.connect().register("connections", connections).sql(run(CONFIG, "--sql").stdout).to_arrow_table()
    logged = [decide(load(CONFIG), sysmon_texts(row)).logged for row in connections.to_pylist()]
    assert found.num_rows == sum(logged) > 0


def test_event_tells_of_each_connection_of_a_log(example_log: Path) -> None:
    result = run(CONFIG, example_log, "--limit", "3")
    assert result.exit_code == 0
    assert result.stdout.count("=> ") == 3
    assert result.stdout.startswith("2017-10-23 06:58:15.154  C:\\Windows\\System32\\svchost.exe (904)  udp")
    assert result.stderr == "showed the first 3 connections; --limit N shows more\n"


def test_event_agrees_with_the_reference_on_every_connection(example_log: Path) -> None:
    decisions = document(CONFIG, example_log, "--limit", "1000")["decisions"]
    rows = procwire.read(example_log).to_pylist()
    expected = [decide(load(CONFIG), sysmon_texts(row)) for row in rows]
    assert [(found["logged"], found["rule_name"]) for found in decisions] == [
        (decision.logged, decision.rule_name) for decision in expected
    ]
    assert len(decisions) == 153


def test_event_reads_stdin(example_log: Path) -> None:
    result = run(CONFIG, "-", "--limit", "1", input=example_log.read_bytes())
    assert result.stdout.count("=> ") == 1


def test_match_tells_which_rule_decides() -> None:
    image = "C:\\Windows\\System32\\inetsrv\\w3wp.exe"
    result = run(CONFIG, "--match", f"Image={image},Initiated=true,DestinationPort=8080,dst_ip=10.1.1.1")
    assert result.exit_code == 0
    assert "=> logged, RuleName technique_id=T1505.003,technique_name=Web Shell\n" in result.stdout
    assert 'decided by line 28: <Rule groupRelation="and">' in result.stdout
    assert "not given" not in result.stdout


def test_match_tells_what_was_not_given() -> None:
    result = run(CONFIG, "--match", "Initiated=true")
    assert "tested but not given: DestinationIp, Image, DestinationPort;" in result.stdout
    assert document(CONFIG, "--match", "Initiated=true")["decisions"][0]["asked_without"] == [
        "DestinationIp", "Image", "DestinationPort",
    ]  # fmt: skip


def test_match_sees_no_names_where_dns_lookup_is_false(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<Sysmon schemaversion="4.90"><DnsLookup>False</DnsLookup><EventFiltering><NetworkConnect onmatch="include">'
        "<DestinationHostname>a</DestinationHostname></NetworkConnect></EventFiltering></Sysmon>"
    )
    result = run(path, "--match", "DestinationHostname=a", "--verbose")
    assert 'no match  DestinationHostname is "a"   saw "-"' in result.stdout
    assert "=> not logged" in result.stdout


def test_strict_sysmon_shows_the_name_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<Sysmon schemaversion="4.90"><EventFiltering><NetworkConnect onmatch="include"><User>me</User>'
        '</NetworkConnect><NetworkConnect onmatch="include"><Image name="stale">a</Image><Protocol>udp</Protocol>'
        "</NetworkConnect></EventFiltering></Sysmon>"
    )
    given = ("--match", "User=me,Image=a,Protocol=tcp")
    assert "=> logged, RuleName -\n" in run(path, *given).stdout
    assert "=> logged, RuleName stale\n" in run(path, *given, "--strict-sysmon").stdout


def test_control_characters_of_a_log_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in run(CONFIG, "--match", "Image=\x1b[31m,User=a").stdout


def test_old_schema_is_refused_and_read_leniently(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(CONFIG.read_text().replace("4.90", "3.40"))
    refused = run(path)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{path}:" in refused.stderr
    assert "expected 4.0 or later" in refused.stderr
    read = run(path, "--lenient")
    assert read.exit_code == 0
    assert "error: found schemaversion 3.40" in read.stdout


def test_log_without_connections_gives_1(tmp_path: Path) -> None:
    log = tmp_path / "a.ndjson"
    log.write_text('{"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"}\n')
    for path, complaint in ((log, f"found no network connection in {log}"), (tmp_path / "no", "No such file")):
        result = run(CONFIG, path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert complaint in result.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--match", "Imag=a"), "did you mean 'Image'"),
        (("--match", "Image=a", "--sql"), "expected one of them"),
        (("a", "--match", "Image=a"), "expected one of them"),
        (("--limit", "0"), "--limit"),
        (("--to", "yaml"), "--to"),
    ],
)
def test_usage_errors_give_2_and_nothing_on_stdout(arguments: tuple[str, ...], complaint: str) -> None:
    result = run(CONFIG, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_missing_configuration_gives_2(tmp_path: Path) -> None:
    result = run(tmp_path / "no.xml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"procwire: cannot read {tmp_path / 'no.xml'}: No such file or directory\n"


def test_help_and_docs_tell_of_every_option() -> None:
    text = run("--help").stdout
    docs = (CONFIG.parents[2] / "docs" / "cli.md").read_text()
    section = docs.partition("### `procwire config explain ")[2].partition("\n##")[0]
    for each in (each for each in verb_named(("config", "explain")).options if not each.hidden):
        assert each.help
        for option in each.flags:
            assert option in text
            assert f"`{option}" in section
    assert "Examples:" in text
    assert "Exit codes:" in text


def test_several_logs_and_a_period_are_explained(example_log: Path) -> None:
    """The former `--event LOG` still names a log."""
    whole = document(CONFIG, example_log, "--limit", "1000")["decisions"]
    assert document(CONFIG, "--event", example_log, "--limit", "1000")["decisions"] == whole
    assert document(CONFIG, example_log, example_log, "--limit", "1000")["decisions"] == [*whole, *whole]
    moment = "2017-10-23T07:30"
    halves = [document(CONFIG, example_log, option, moment, "--limit", "1000") for option in ("--until", "--since")]
    assert [len(half["decisions"]) > 0 for half in halves] == [True, True]
    assert sum(len(half["decisions"]) for half in halves) == len(whole)
    assert run(CONFIG, "--since", "7d").exit_code == 2
