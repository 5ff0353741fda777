"""A repeated option never replaces the first silently: predicates are combined with AND, anything else is an error."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import procwire
from command_line import Result, invoke
from procwire.cli.parser import Option
from procwire.cli.verbs import GROUPS, VERBS, verb_named
from procwire.errors import UsageError
from procwire.recorder.predicates import Where

Way = tuple[str, ...]
"""How an option is written, with its value."""


OPTIONS = [(path, option) for path in VERBS for option in verb_named(path).options if option.flags]
# Each for its reason: what is written how often, and what several mean.
REPEATABLE = {
    (("read",), "where"): "all must hold",
    (("record",), "where"): "all must hold",
    (("lake", "export"), "where"): "all must hold",
    (("config", "explain"), "match"): "all describe one connection",
    (("record",), "to"): "one for each output",
    (("record",), "output"): "one for each output",
    (("record",), "detect"): "rules of all",
    (("detect",), "rules"): "rules of all",
    (("sql",), "logs"): "the rows of all",
    (("hunt",), "logs"): "the rows of all",
    (("detect",), "logs"): "the rows of all",
    (("config", "explain"), "logs"): "the connections of all",
    (("hunt",), "param"): "a value for each parameter; one that has two is an error",
    (("hunt",), "hunts"): "the hunts of all",
    **{
        (path, "list_"): "values for each placeholder; one that has two files is an error"
        for path in [("record",), ("detect",), ("sigma", "check"), ("sigma", "test")]
    },
}


def run(*arguments: str | Path) -> Result:
    return invoke(*map(str, arguments))


def spellings(option: Option) -> Iterator[tuple[Way, str]]:
    """The option in each of its spellings, with a value of its own if it takes one; and how a message has it."""
    for number, name in enumerate(option.flags):
        if not option.takes_value:
            yield (name,), name
        else:
            yield (name, f"value{number}"), f"value{number}"
            if name.startswith("--"):
                yield (f"{name}=joined{number}",), f"joined{number}"


def doubled(option: Option) -> Iterator[tuple[Way, Way]]:
    for (first, first_shown), (second, second_shown) in itertools.product(list(spellings(option)), repeat=2):
        yield (*first, *second), (first_shown, second_shown)


def test_the_walk_meets_every_verb() -> None:
    assert {path for path, _ in OPTIONS} >= {("read",), ("record",), ("sql",), ("lake", "expire"), ("sigma", "check")}
    assert len(OPTIONS) > 100


def test_every_option_that_may_be_repeated_has_its_reason() -> None:
    assert {(path, option.parameter) for path, option in OPTIONS if option.repeated} == set(REPEATABLE)


@pytest.mark.parametrize(
    ("path", "option"), [(path, option) for path, option in OPTIONS if not option.repeated],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.parameter,
)  # fmt: skip
def test_a_repeated_option_is_refused_with_both_values(path: Way, option: Option) -> None:
    """In every verb, in every spelling, with another value or the same."""
    for arguments, shown in doubled(option):
        result = run(*path, *arguments)
        assert result.exit_code == 2, arguments
        message = result.stderr.splitlines()[-1]
        assert "expected one of them" in message, arguments
        if option.takes_value or option.flags[-1].startswith("--no-"):
            assert all(text in message for text in shown), message
        else:
            assert sum(message.count(f"{name} ") + message.count(f"{name},") for name in option.flags) == 2, message


@pytest.mark.parametrize("path", [(), *VERBS, *((group,) for group in GROUPS)], ids=" ".join)
def test_help_may_be_asked_for_twice(path: Way) -> None:
    result = run(*path, "--help", "-h")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "usage:" in result.stdout


def test_contradicting_flags_are_refused() -> None:
    result = run("record", "--all", "--dns-lookup", "--no-dns-lookup")
    assert result.exit_code == 2
    assert "found --dns-lookup and --no-dns-lookup, expected one of them" in result.stderr


def test_a_bare_n_counts() -> None:
    for arguments in (["-n", "-n", "curl"], ["-n", "curl", "-n"], ["-n", "-n"], ["-ncurl", "-nwget"]):
        assert run("record", *arguments).exit_code == 2
        assert "expected one of them" in run("record", *arguments).stderr


def test_a_value_cannot_drive_the_terminal() -> None:
    result = run("read", "x", "--since\x1b[2J")
    assert "\x1b" not in result.stderr
    result = run("sql", "--since", "\x1b[2J", "--since", "7d")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr


def test_a_recording_has_one_lake() -> None:
    result = run("record", "--all", "--to", "lake", "--to", "csv", "--to", "lake")
    assert result.exit_code == 2
    assert "found --to lake twice" in result.stderr


def test_a_parameter_of_a_hunt_has_one_value(example_log: Path) -> None:
    hunt = ("hunt", "beacons", example_log)
    result = run(*hunt, "--param", "min_score=0.5", "-p", "min_score=1")
    assert result.exit_code == 2
    assert "found --param min_score twice, '0.5' and '1', expected one" in result.stderr
    result = run(*hunt, "--since", "2017-01-01", "-p", "since=2018-01-01")
    assert result.exit_code == 2
    assert "found --since and --param since=2018-01-01, expected one of them" in result.stderr
    assert run(*hunt, "--param", "min_score=0.5", "-p", "max_rarity=1").exit_code in (0, 2)


# Predicates mean AND.

PORTS, NOT_SYSTEM = "dst_port = 443 OR dst_port = 80", "process_name NOT LIKE '%svchost.exe'"


def ports(result: Result) -> list[int]:
    assert result.exit_code == 0, result.stderr
    return sorted(json.loads(line)["dst_port"] for line in result.stdout.splitlines())


def expected(example_log: Path, where: str) -> list[int]:
    found = sorted(procwire.read(example_log, where=where)["dst_port"].to_pylist())
    assert found
    return found


@pytest.mark.parametrize(
    "predicates",
    [
        (PORTS, NOT_SYSTEM),
        (NOT_SYSTEM, PORTS),
        (f"{PORTS} -- the web", f"{NOT_SYSTEM} -- ours"),
        (f"{PORTS} /* the web */", NOT_SYSTEM, "true"),
    ],
)
def test_predicates_that_are_repeated_must_all_hold(example_log: Path, predicates: tuple[str, ...]) -> None:
    """One that holds an OR, or ends in a comment, reaches no further than itself."""
    options = [word for predicate in predicates for word in ("--where", predicate)]
    both = expected(example_log, f"({PORTS}) AND {NOT_SYSTEM}")
    assert both != expected(example_log, PORTS)
    assert ports(run("read", example_log, *options)) == both
    assert procwire.read(example_log, where=predicates)["dst_port"].to_pylist() != []
    assert sorted(procwire.read(example_log, where=list(predicates))["dst_port"].to_pylist()) == both


def test_predicates_mean_the_same_to_the_lake(example_log: Path, tmp_path: Path) -> None:
    both = expected(example_log, f"({PORTS}) AND {NOT_SYSTEM}")
    options = ("--where", PORTS, "--where", NOT_SYSTEM)
    filtered, whole = tmp_path / "filtered", tmp_path / "whole"
    assert f"{len(both)} connections added" in run("read", example_log, "--lake", filtered, *options).stderr
    assert ports(run("lake", "export", "--lake", filtered, "--to", "ndjson")) == both
    run("read", example_log, "--lake", whole)
    assert ports(run("lake", "export", "--lake", whole, "--to", "ndjson", *options)) == both


@pytest.mark.parametrize(
    ("predicates", "wrong"),
    [
        (("dst_port = 1", "dst_port = 3)"), 1),
        (("(dst_port = 1", "dst_port = 3)"), 0),
        (("dst_port = 1) OR (true", "true"), 0),
        (("dst_port = 1 /*", "*/ OR true"), 0),
        (("dst_port = 1", "true */ OR /* true"), 1),
        (("process_name = 'a", "b' OR true"), 0),
        (("dst_port = 1", ""), 1),
        (("dst_port =", "1"), 0),
        (("dst_port = 1", "dst_pot = 1"), 1),
        (("dst_port = 1; SELECT 1", "true"), 0),
    ],
)
def test_a_predicate_that_is_not_whole_is_refused_by_name(example_log: Path, predicates: Way, wrong: int) -> None:
    """Not one that only another would complete: that is where one predicate could undo the other."""
    result = run("read", example_log, *(word for predicate in predicates for word in ("--where", predicate)))
    assert result.exit_code == 2, result.output
    assert f"in {predicates[wrong]!r}: SQL: " in result.stderr
    # A recording gives up privileges before it asks, which a test's own process must not.
    with pytest.raises(UsageError, match=re.escape(f"in {predicates[wrong]!r}: SQL: ")):
        Where(list(predicates), "ossem")


def test_what_is_matched_is_combined(tmp_path: Path) -> None:
    """`config explain --match` describes one connection, in one option or in several."""
    file = tmp_path / "web.xml"
    file.write_text(
        '<Sysmon schemaversion="4.90"><EventFiltering><RuleGroup groupRelation="and"><NetworkConnect onmatch="include">'
        '<Image condition="end with">curl</Image><DestinationPort>443</DestinationPort></NetworkConnect></RuleGroup>'
        "</EventFiltering></Sysmon>"
    )
    explain = ("config", "explain", file, "--to", "json")
    matches = ("--match", "Image=/bin/curl", "--match", "DestinationPort=443")
    apart = run(*explain, *matches)
    together = run(*explain, "--match", "Image=/bin/curl,DestinationPort=443")
    assert (apart.exit_code, apart.stdout) == (0, together.stdout)
    assert "not given" not in run("config", "explain", file, *matches).stdout
    result = run(*explain, "--match", "DestinationPort=443", "--match", "dst_port=80")
    assert result.exit_code == 2
    assert "found DestinationPort twice, '443' and '80', expected each field once" in result.stderr
