"""The grammar of the command line, without a verb of procwire."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.cli import read as read_module
from procwire.cli.parser import Group, Verb, argument, flag, number, option, output_path, path
from procwire.errors import UsageError

DESCRIPTION = """Describe the verb
in one paragraph.

And in another, of 100 %."""
VERB = Verb(
    "read.read",
    DESCRIPTION,
    [
        argument("paths", metavar="PATH", count="*", help="Logs."),
        option("--output", "-o", metavar="FILE", type=output_path, help="Write to FILE."),
        option("--where", metavar="SQL", repeated=True, help="Keep these, 100% of them."),
        option("-n", metavar="[NAMES]", bare="", help="Names."),
        option("--sort", metavar="COLUMN,...", help="Sort."),
        option("--limit", metavar="N", type=number(1, 10), help="Stop after N rows."),
        option("--to", choices=("csv", "ndjson"), default="csv", help="Format."),
        option("--hunts", metavar="DIR", type=path, repeated=True, environment="TEST_HUNTS", help="Folders."),
        flag("--force", help="Overwrite."),
        flag("--dns-lookup", default=True, help="Look up."),
    ],
    "Examples:\n  procwire read  a\n",
)
DEFAULTS = {
    "paths": None,
    "output": None,
    "where": None,
    "n": None,
    "sort": None,
    "limit": None,
    "to": "csv",
    "hunts": None,
    "force": False,
    "dns_lookup": True,
}


def parse(*words: str) -> dict[str, object]:
    """Return what differs from the defaults."""
    found = VERB.parse("procwire read", words)
    assert list(found) == list(DEFAULTS)
    return {name: value for name, value in found.items() if value != DEFAULTS[name]}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {}),
        (("a", "--force", "b"), {"paths": ["a", "b"], "force": True}),
        (("--force", "--", "--where"), {"force": True, "paths": ["--where"]}),
        (("-",), {"paths": ["-"]}),
        (("-o", "x.csv"), {"output": Path("x.csv")}),
        (("-ox.csv",), {"output": Path("x.csv")}),
        (("--output=x.csv",), {"output": Path("x.csv")}),
        (("-o", "-"), {}),
        (("--where", "a = 1", "--where", "b"), {"where": ["a = 1", "b"]}),
        (("--where", "-1 < a"), {"where": ["-1 < a"]}),
        (("--where", ""), {"where": [""]}),
        (("--where=a=b",), {"where": ["a=b"]}),
        (("--sort", "-dst_port,a"), {"sort": "-dst_port,a"}),
        (("--limit", "10", "--to", "ndjson"), {"limit": 10, "to": "ndjson"}),
        (("-n", "--force"), {"n": "", "force": True}),
        (("a", "-n"), {"paths": ["a"], "n": ""}),
        (("-n", "a,b"), {"n": "a,b"}),
        (("--no-dns-lookup",), {"dns_lookup": False}),
    ],
)
def test_options_stand_anywhere_and_values_may_begin_with_a_dash(
    words: tuple[str, ...], expected: dict[str, object]
) -> None:
    assert parse(*words) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sorted", "a"), "found no option --sorted (did you mean --sort?); `procwire read --help` lists them"),
        (("-x",), "found no option -x; `procwire read --help` lists them"),
        (("--sort",), "--sort: found no value, expected COLUMN,... after it"),
        (("--force=yes",), "--force: found the value 'yes', expected none"),
        (("--limit", "0"), "--limit: found '0', expected a whole number from 1 to 10"),
        (("--limit", "٣"), "--limit: found '٣', expected a whole number from 1 to 10"),
        (("--limit", "9" * 5_000), "expected a whole number"),
        (("--to", "cvs"), "--to: found 'cvs', expected one of csv, ndjson (did you mean csv?)"),
        (("--sort", "a", "--sort", "b"), "found --sort=a and --sort=b, expected one of them"),
        (("-o", "a", "--output", "b"), "found -o=a and --output=b, expected one of them"),
        (("--force", "--force"), "found --force and --force, expected one of them"),
        (("--dns-lookup", "--no-dns-lookup"), "found --dns-lookup and --no-dns-lookup, expected one of them"),
    ],
)
def test_what_cannot_be_used_is_an_error_that_says_what_can(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(*words)
    assert message in str(raised.value)


def test_a_missing_argument_is_named() -> None:
    verb = Verb("x.x", "Do it.", [argument("paths", metavar="PATH", count="+", help="Logs.")])
    with pytest.raises(UsageError, match="PATH"):
        verb.parse("procwire read", [])


def test_an_argument_too_many_is_named() -> None:
    with pytest.raises(UsageError, match="found 'a', expected options only"):
        Verb("x.x", "Do it.", []).parse("procwire x", ["a"])
    with pytest.raises(UsageError, match="unrecognized arguments: b"):
        Verb("x.x", "Do it.", [argument("one", metavar="ONE", count="?", help="One.")]).parse("procwire x", ["a", "b"])


def test_a_variable_gives_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_HUNTS", "a:b")
    verb = Verb(
        "x.x", "Do it.", [option("--hunts", metavar="DIR", repeated=True, environment="TEST_HUNTS", help="Folders.")]
    )
    assert verb.parse("procwire hunt", []) == {"hunts": ["a", "b"]}
    assert verb.parse("procwire hunt", ["--hunts", "c", "--hunts", "d"]) == {"hunts": ["c", "d"]}


@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_the_terminal_and_shows_everything(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = VERB.help("procwire read")
    lines = text.splitlines()
    assert lines[0] == "usage: procwire read [OPTIONS] [PATH]..."
    assert max(map(len, lines)) <= min(columns, 100)
    assert "And in another, of 100 %." in lines
    assert "Keep these, 100% of them." in text
    assert "  --to <csv|ndjson>" in text
    assert "Format. [default: csv]" in text
    assert "-o FILE, --output FILE" not in text
    assert "-o, --output FILE" in text
    assert text.endswith("Examples:\n  procwire read  a\n")
    for each in VERB.options:
        assert all(name in text for name in each.flags)
        assert " ".join(each.help.split()) in " ".join(text.split())


class Pair:
    """Take two options as one object."""

    def __init__(self, logs: list[str] | None, lake: str | None) -> None:
        self.logs = logs
        self.lake = lake


def grouped(monkeypatch: pytest.MonkeyPatch) -> Verb:
    logs = argument("logs", metavar="LOG", count="*", help="Logs.")
    files = option("--files", parameter="logs", metavar="LOG", repeated=True, hidden=True, help="Logs.")
    lake = option("--lake", metavar="DIR", help="Lake.")
    monkeypatch.setattr(read_module, "Pair", Pair, raising=False)
    group = Group("query", "read.Pair", (logs, files, lake))
    return Verb("read.read", "Describe.", [logs, files, lake, flag("--force", help="Overwrite.")], groups=[group])


def test_a_group_of_options_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    verb = grouped(monkeypatch)
    assert verb.parameters == ["force", "query"]
    values = verb.parse("procwire", ["a", "--lake", "/lake", "--force"])
    assert list(values) == verb.parameters
    assert (values["query"].logs, values["query"].lake, values["force"]) == (["a"], "/lake", True)
    assert grouped(monkeypatch).parse("procwire", [])["query"].logs is None


def test_a_hidden_option_adds_to_the_argument_that_replaced_it(monkeypatch: pytest.MonkeyPatch) -> None:
    verb = grouped(monkeypatch)
    assert verb.parse("procwire", ["--files", "a", "b", "--files=c"])["query"].logs == ["b", "a", "c"]
    assert verb.parse("procwire", ["--files", "a"])["query"].logs == ["a"]
    assert "--files" not in verb.help("procwire")
