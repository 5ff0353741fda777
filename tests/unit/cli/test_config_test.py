"""`procwire config test` as a user runs it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from command_line import Result, invoke
from procwire.cli.verbs import verb_named

CONFIG = Path(__file__).parents[3] / "examples" / "configs" / "server-windows.xml"


def run(*arguments: str | Path, input: bytes | None = None) -> Result:
    return invoke("config", "test", *map(str, arguments), input=input)


def document(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--to", "json").stdout)


def numbers(result: Result) -> list[int]:
    """The lines of the file that the table's rows tell of, in its order."""
    table, _, _ = result.stdout.partition("\n\n")
    return [int(row.split()[3]) for row in table.splitlines()[1:]]


def test_table_has_every_rule_and_the_totals(example_log: Path) -> None:
    result = run(CONFIG, example_log)
    assert result.exit_code == 0
    assert result.stdout.startswith("MATCHED  DECIDED  WITHOUT IT  LINE  RULE\n")
    assert numbers(result) == sorted(numbers(result))
    assert len(numbers(result)) == 3 + 22 + 6
    assert result.stderr.startswith("1 file, 1,730 records, 153 network connections")


def test_figures_of_the_example(example_log: Path) -> None:
    """As SQL over the table counts them: 137 initiated, 25 to 127., 2 to ::1, 11 by svchost.exe to names and time."""
    found = document(CONFIG, example_log)
    rules = {rule["line"]: rule for rule in found["rules"]}
    assert (found["events"], found["logged"], found["undecided"]) == (153, 153 - 25 - 2 - 11, 0)
    figures = ("matched", "decided", "more_without", "fewer_without", "logged_without")
    assert [rules[17][figure] for figure in figures] == [137, 115, 0, 115, 0]
    assert [rules[64][figure] for figure in figures] == [25, 25, 11, 0, 126]
    assert [rules[65][figure] for figure in figures] == [2, 2, 2, 0, 117]
    assert [rules[74][figure] for figure in figures] == [11, 11, 9, 0, 124]
    assert (rules[17]["rule"], rules[17]["name"]) == ('<Initiated condition="is">true</Initiated>', "Outbound")
    assert (rules[74]["kind"], rules[74]["onmatch"]) == ("rule", "exclude")


def test_order_is_by_the_figure_that_is_asked_for(example_log: Path) -> None:
    for order in ("matched", "decided"):
        heights = [rule[order] for rule in document(CONFIG, example_log, "--sort", order)["rules"]]
        assert heights == sorted(heights, reverse=True)
    changes = [
        rule["more_without"] + rule["fewer_without"]
        for rule in document(CONFIG, example_log, "--sort", "alone")["rules"]
    ]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > 0


def test_never_shows_only_rules_that_never_matched(example_log: Path) -> None:
    everything = document(CONFIG, example_log)["rules"]
    assert document(CONFIG, example_log, "--never")["rules"] == [rule for rule in everything if not rule["matched"]]
    assert 0 < len(numbers(run(CONFIG, example_log, "--never"))) < len(everything)


def test_flat_rows_tell_where_they_stand(example_log: Path) -> None:
    assert "(within line 34)" in run(CONFIG, example_log, "--never").stdout
    assert "(within" not in run(CONFIG, example_log).stdout


def test_csv_says_what_json_says(example_log: Path) -> None:
    records = list(csv.DictReader(io.StringIO(run(CONFIG, example_log, "--to", "csv").stdout)))
    rules = document(CONFIG, example_log)["rules"]
    assert [{name: str(value) for name, value in rule.items()} for rule in rules] == records


def test_stdin_is_a_dash(example_log: Path) -> None:
    assert run(CONFIG, "-", input=example_log.read_bytes()).stdout == run(CONFIG, example_log).stdout


def test_damage_gives_3_and_the_figures_of_the_rest(example_log: Path, tmp_path: Path) -> None:
    result = run(CONFIG, example_log, tmp_path / "missing.evtx")
    assert result.exit_code == 3
    assert result.stdout == run(CONFIG, example_log).stdout
    assert "missing.evtx" in result.stderr


def test_nothing_read_gives_1(tmp_path: Path) -> None:
    result = run(CONFIG, tmp_path / "missing.evtx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("nothing could be read\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("{config}",), "found no "),
        (("no.xml", "{log}"), "cannot read no.xml"),
        (("{config}", "{log}", "--sort", "name"), "--sort"),
        (("{config}", "{log}", "--to", "yaml"), "--to"),
    ],
)
def test_usage_errors_give_2_and_nothing_on_stdout(
    example_log: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    result = run(*(argument.format(config=CONFIG, log=example_log) for argument in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_help_and_docs_tell_of_every_option() -> None:
    text = run("--help").stdout
    docs = (CONFIG.parents[2] / "docs" / "cli.md").read_text()
    section = docs.partition("### `procwire config test ")[2].partition("\n##")[0]
    for each in verb_named(("config", "test")).options:
        assert each.help
        for option in each.flags:
            assert option in text
            assert f"`{option}" in section
    assert "Examples:" in text
    assert "Exit codes:" in text
