"""The help and docs/cli.md tell of everything there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from typer.testing import CliRunner

from procwire.cli import dictionary as dictionary_module
from procwire.cli import guid as guid_module
from procwire.cli import read_request, request
from procwire.cli.app import app
from procwire.cli.exits import ExitCode
from procwire.event import NAMES
from procwire.sinks import SINKS
from procwire.sinks.recording import WAYS

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
GROUP: Any = typer.main.get_command(app)
VERBS = sorted(GROUP.commands)


def options(verb: str) -> list[str]:
    return [option for parameter in GROUP.commands[verb].params for option in parameter.opts if option.startswith("-")]


def section(verb: str) -> str:
    match = re.search(rf"^## `procwire {verb}\b.*?(?=^## |\Z)", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[0]


def test_verbs_are_those_documented() -> None:
    assert re.findall(r"^## `procwire (\w+)", DOCS.read_text(), re.MULTILINE) == [
        "read",
        "record",
        "lake",
        "sql",
        "config",
        "hunt",
        "detect",
        "rules",
        "dictionary",
        "guid",
    ]
    assert VERBS == ["config", "detect", "dictionary", "guid", "hunt", "lake", "read", "record", "rules", "sql"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_documented(verb: str) -> None:
    for option in options(verb):
        assert f"`{option}" in section(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_help_explains_every_option(verb: str) -> None:
    text = CliRunner().invoke(app, [verb, "--help"]).stdout
    assert all(option in text for option in options(verb))
    assert all(getattr(parameter, "help", None) for parameter in GROUP.commands[verb].params)


@pytest.mark.parametrize(
    ("verb", "example"),
    [("read", "procwire read Sysmon.evtx --follow"), ("record", "procwire record --all --to syslog")],
)
def test_help_shows_examples_and_exit_codes(verb: str, example: str) -> None:
    text = CliRunner().invoke(app, [verb, "--help"]).stdout
    assert example in text
    for code in ExitCode:
        assert str(code.value) in text.partition("Exit codes:")[2]


def test_every_exit_code_is_documented() -> None:
    table = DOCS.read_text().partition("## Exit codes")[2]
    assert [int(code) for code in re.findall(r"^\| (\d+) ", table, re.MULTILINE)] == sorted(ExitCode)


def test_choices_are_the_packages_own() -> None:
    """The command line names them itself, since it must not import Arrow to do so."""
    assert get_args(read_request.Way) == (*SINKS, "lake")
    assert {str(way) for way in request.Way} == {*WAYS, "lake"}
    assert get_args(request.Names) == get_args(read_request.Names) == get_args(dictionary_module.Names) == NAMES
    assert set(get_args(guid_module.GuidFormat)) == {"text", "json"}
