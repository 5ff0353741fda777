"""`procwire read --config`: what a Sysmon configuration would have logged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import Result, invoke
from event_rows import Row

WEB = """<Sysmon schemaversion="4.90">
  <DnsLookup>False</DnsLookup>
  <FieldSizes>Image:12,User:2</FieldSizes>
  <EventFiltering>
    <RuleGroup groupRelation="or">
      <NetworkConnect onmatch="include">
        <DestinationPort name="web">443</DestinationPort>
        <DestinationPort>80</DestinationPort>
      </NetworkConnect>
    </RuleGroup>
    <ProcessCreate onmatch="exclude"/>
  </EventFiltering>
</Sysmon>
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "web.xml"
    path.write_text(WEB)
    return path


def read(*arguments: str | Path) -> Result:
    return invoke("read", *map(str, arguments))


def rows(result: Result) -> list[Row]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_what_is_not_logged_is_left_out_and_counted(example_log: Path, config: Path) -> None:
    result = read(example_log, "--config", config)
    assert result.exit_code == 0
    ports = [row["dst_port"] for row in rows(result)]
    assert set(ports) == {80, 443}
    assert f"{153 - len(ports)} of them not logged by {config}" in result.stderr


def test_rule_name_is_what_the_configuration_gives(example_log: Path, config: Path) -> None:
    """Null where the rule that decides has no name."""
    names = {(row["dst_port"], row["rule_name"]) for row in rows(read(example_log, "--config", config))}
    assert names == {(443, "web"), (80, None)}


def test_dns_lookup_empties_names_and_field_sizes_cut_texts(example_log: Path, config: Path) -> None:
    for row in rows(read(example_log, "--config", config)):
        for name in ("src_host_name", "dst_host_name", "src_port_name", "dst_port_name"):
            assert row[name] is None
        assert len(row["process_name"]) == 12
        assert row["process_name"].endswith("...")
        # Under three characters there is no place for what tells that it was cut.
        assert row["user_name"] is None


def test_keep_marks_instead(example_log: Path, config: Path) -> None:
    kept = rows(read(example_log, "--config", config, "--keep"))
    assert len(kept) == 153
    assert [row["logged"] for row in kept] == [row["dst_port"] in (80, 443) for row in kept]
    assert all(row["rule_name"] is None for row in kept if not row["logged"])


def test_where_and_columns_speak_of_what_the_rules_have_done(example_log: Path, config: Path) -> None:
    where = "NOT logged OR rule_name = 'web'"
    result = read(example_log, "--config", config, "--keep", "--where", where, "--columns", "dst_port,logged")
    assert {(row["dst_port"] == 443, row["logged"]) for row in rows(result)} == {(True, True), (False, False)}


def test_account_holds_the_configuration(example_log: Path, config: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    result = read(example_log, "--config", config, "--ledger", ledger)
    totals = json.loads(ledger.read_text())["totals"]
    assert totals["configuration"] == str(config)
    assert totals["events"] - totals["unlogged"] == len(rows(result))


def test_errors_have_their_lines(example_log: Path, tmp_path: Path) -> None:
    """Every one is reported, and nothing is read."""
    broken = tmp_path / "broken.xml"
    broken.write_text(WEB.replace("DestinationPort", "DestinatonPort").replace('onmatch="exclude"', ""))
    result = read(example_log, "--config", broken)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{broken}:7:9: found field 'DestinatonPort' in <NetworkConnect>" in result.stderr
    assert "did you mean 'DestinationPort'?" in result.stderr
    assert f"{broken}:11:5: found <ProcessCreate> without onmatch" in result.stderr


def test_old_schemas_are_read_leniently_only(example_log: Path, config: Path) -> None:
    config.write_text(WEB.replace("4.90", "3.30"))
    result = read(example_log, "--config", config)
    assert result.exit_code == 2
    assert "found schemaversion 3.30, expected 4.0 or later" in result.stderr
    assert len(rows(read(example_log, "--config", config, "--lenient"))) > 0


@pytest.mark.parametrize("option", ["--keep", "--lenient", "--strict-sysmon"])
def test_options_of_a_configuration_need_one(example_log: Path, option: str) -> None:
    result = read(example_log, option)
    assert result.exit_code == 2
    assert "without --config" in result.stderr


def test_xml_has_no_place_for_the_mark(example_log: Path, config: Path) -> None:
    result = read(example_log, "--config", config, "--keep", "--to", "xml")
    assert result.exit_code == 2
    assert "no place for the mark" in result.stderr
    logged = read(example_log, "--config", config, "--to", "xml")
    assert '<Data Name="RuleName">web</Data>' in logged.stdout


def test_stale_names_come_with_the_option_only(example_log: Path, tmp_path: Path) -> None:
    config = tmp_path / "stale.xml"
    config.write_text(
        """<Sysmon schemaversion="4.90"><EventFiltering>
        <RuleGroup groupRelation="or"><NetworkConnect onmatch="include">
            <DestinationPort>443</DestinationPort></NetworkConnect></RuleGroup>
        <RuleGroup groupRelation="and"><NetworkConnect onmatch="include">
            <Protocol name="stale">tcp</Protocol><DestinationPort>1</DestinationPort></NetworkConnect></RuleGroup>
        </EventFiltering></Sysmon>"""
    )
    assert {row["rule_name"] for row in rows(read(example_log, "--config", config))} == {None}
    assert {row["rule_name"] for row in rows(read(example_log, "--config", config, "--strict-sysmon"))} == {"stale"}
