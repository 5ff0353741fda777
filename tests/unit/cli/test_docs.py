"""The help and docs/cli.md tell of everything there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from procwire.choices import FIGURE_ORDERS, LEVELS, NAMES
from procwire.cli.app import app
from procwire.cli.exits import ExitCode
from procwire.sinks.formats import FORMATS
from procwire.sinks.recording import WAYS

_LINES = re.MULTILINE | re.DOTALL
DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
GROUP: Any = typer.main.get_command(app)
VERBS = sorted(GROUP.commands)


def commands(command: Any = GROUP, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every verb, those of groups too."""
    if below := getattr(command, "commands", {}):
        for name, verb in below.items():
            yield from commands(verb, (*path, name))
    else:
        yield path, command


COMMANDS = dict(commands())
every_verb = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def options(path: tuple[str, ...]) -> list[str]:
    parameters = COMMANDS[path].params
    return [option for parameter in parameters for option in parameter.opts if option.startswith("-")]


def section(path: tuple[str, ...]) -> str:
    """A verb's own section, or that of its group."""
    for level, name in (("###", " ".join(path)), ("##", path[0])):
        match = re.search(rf"^{level} `procwire {name}\b.*?(?=^#{{2,{len(level)}}} |\Z)", DOCS.read_text(), _LINES)
        if match is not None:
            return match[0]
    raise AssertionError(path)


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


@every_verb
def test_every_option_is_documented(path: tuple[str, ...]) -> None:
    for option in options(path):
        assert re.search(rf"`(?:[^`]* )?{option}\b", section(path)), option


@every_verb
def test_help_explains_every_option(path: tuple[str, ...]) -> None:
    text = CliRunner().invoke(app, [*path, "--help"]).stdout
    assert all(option in text for option in options(path))
    assert all(getattr(parameter, "help", None) for parameter in COMMANDS[path].params)


@every_verb
def test_every_example_of_the_help_can_be_parsed(path: tuple[str, ...]) -> None:
    """Each stands for a command line that the verb takes; what it then does is tested by what the documents print."""
    text = (COMMANDS[path].epilog or "").replace("\\\n", "")
    for words in map(command_words, re.findall(r"^ +((?:sudo )?procwire .*)$", text, re.MULTILINE)):
        verb, arguments = next(
            (verb, words[len(other) :]) for other, verb in COMMANDS.items() if tuple(words[: len(other)]) == other
        )
        assert verb.make_context("procwire", arguments).params


def command_words(line: str) -> list[str]:
    """The words of the first command of a line, without `procwire`; remarks stand behind two spaces."""
    lexer = shlex.shlex(re.split(r" {2,}", line)[0], posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    words = list(takewhile(lambda word: word not in ("|", ">", "||"), lexer))
    return words[words.index("procwire") + 1 :]


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
    """Those of formats are of the table of formats, with other names of theirs; all others are declared once, too."""
    formats = {name for each in FORMATS for name in (each.name, *each.aliases)}
    assert choices(("read",), "--to") == formats - {"syslog"}
    assert choices(("lake", "export"), "--to") == choices(("sql",), "--to") == formats - {"syslog", "lake"}
    for verb in ("hunt", "detect"):
        assert choices((verb,), "--to") == formats - {"syslog", "lake", "xml"}
    assert choices(("record",), "--to") == formats == {*WAYS, "json", "lake"}
    for path in (("read",), ("record",), ("lake", "export"), ("dictionary",)):
        assert choices(path, "--names") == set(NAMES)
    for path in (("record",), ("detect",)):
        assert choices(path, "--level") == set(LEVELS)
    assert choices(("config", "test"), "--sort") == set(FIGURE_ORDERS)


def choices(path: tuple[str, ...], option: str) -> set[str]:
    [found] = [parameter for parameter in COMMANDS[path].params if option in parameter.opts]
    return set(found.type_descriptor.choices)
