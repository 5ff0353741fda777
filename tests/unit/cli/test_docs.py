"""The help and docs/cli.md tell of everything there is."""

from __future__ import annotations

import inspect
import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from command_line import invoke
from procwire.choices import FIGURE_ORDERS, LEVELS, NAMES
from procwire.cli.exits import ExitCode
from procwire.cli.verbs import ALIASES, GROUPS, VERBS, verb_named
from procwire.sinks.formats import FORMATS
from procwire.sinks.recording import WAYS

_LINES = re.MULTILINE | re.DOTALL
DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
every_verb = pytest.mark.parametrize("path", VERBS, ids=" ".join)


def options(path: tuple[str, ...]) -> list[str]:
    shown = [each for each in verb_named(path).options if not each.hidden]
    return [name for each in shown for name in each.flags if not name.startswith("--no-")]


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
        "sigma",
        "map",
        "dictionary",
        "guid",
    ]
    expected = ["config", "detect", "dictionary", "guid", "hunt", "lake", "map", "read", "record", "sigma", "sql"]
    assert sorted({words[0] for words in VERBS}) == expected
    groups = {words[0] for words in VERBS if len(words) > 1}
    assert groups == set(GROUPS) == set(ALIASES.values()) | {"config", "lake", "map"}


@every_verb
def test_functions_take_what_is_declared(path: tuple[str, ...]) -> None:
    """Each option has its parameter, and no parameter is without an option."""
    verb = verb_named(path)
    assert verb.parameters == list(inspect.signature(verb.load()).parameters)


@every_verb
def test_summaries_fit_a_line(path: tuple[str, ...]) -> None:
    assert VERBS[path].endswith(".")
    assert len(VERBS[path]) <= 65


@every_verb
def test_every_option_is_documented(path: tuple[str, ...]) -> None:
    for option in options(path):
        assert re.search(rf"`(?:[^`]* )?{option}\b", section(path)), option


@every_verb
def test_help_explains_every_option(path: tuple[str, ...]) -> None:
    text = invoke(*path, "--help").stdout
    assert all(option in text for option in options(path))
    assert all(each.help.strip() for each in verb_named(path).options)


@every_verb
def test_every_example_of_the_help_can_be_parsed(path: tuple[str, ...]) -> None:
    """Each stands for a command line that the verb takes; what it then does is tested by what the documents print."""
    text = verb_named(path).epilog.replace("\\\n", "")
    for words in map(command_words, re.findall(r"^ +((?:sudo )?procwire .*)$", text, re.MULTILINE)):
        name = next(other for other in VERBS if tuple(words[: len(other)]) == other)
        assert verb_named(name).parse("procwire", words[len(name) :])


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
    text = invoke(verb, "--help").stdout
    assert example in text
    for code in ExitCode:
        assert str(code.value) in text.partition("Exit codes:")[2]


def test_every_exit_code_is_documented() -> None:
    table = DOCS.read_text().partition("## Exit codes")[2]
    assert [int(code) for code in re.findall(r"^\| (\d+) ", table, re.MULTILINE)] == sorted(ExitCode)


def test_every_output_format_is_documented() -> None:
    for each in FORMATS:
        for name in (each.name, *each.aliases):
            assert f"`{name}`" in DOCS.read_text(), name


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
    [found] = [each for each in verb_named(path).options if option in each.flags]
    return set(found.choices)
