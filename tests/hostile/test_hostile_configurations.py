"""Sysmon configurations that are broken, or made to do harm: errors with their place, and nothing that grows."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import Result, invoke
from procwire.errors import ConfigurationError, UsageError
from procwire.sysmon import load, parse
from procwire.sysmon.check import check
from procwire.sysmon.model import Configuration
from procwire.sysmon.sql import compile_sql

HEAD = '<Sysmon schemaversion="4.90"><EventFiltering>'
FOOT = "</EventFiltering></Sysmon>"


def sysmon(filters: str, relation: str = "or") -> str:
    group = f'<RuleGroup groupRelation="{relation}"><NetworkConnect onmatch="include">'
    return f"{HEAD}{group}{filters}</NetworkConnect></RuleGroup>{FOOT}"


def image(value: str, condition: str = "is", name: str = "") -> str:
    return f'<Image condition="{condition}" name="{name}">{value}</Image>'


GOOD = sysmon(image("a"))
BROKEN = {
    "nothing": ("", "found an empty file, expected a configuration"),
    "no XML": ("\0\1\2", "expected XML that begins with <Sysmon>"),
    "a NUL": (GOOD.replace(">a<", ">a\0<"), "found XML that does not parse"),
    "a billion laughs": (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>' + GOOD, "the declaration of entity 'a'",
    ),
    "another file": (f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>{GOOD}', "the declaration of entity 'a'"),
    "elements without number": (sysmon("<Image/>" * 250_001), "found 250,001 elements, expected 250,000 at most"),
    "nesting": ("<a>" * 50_000 + "</a>" * 50_000, "found 101 levels of elements, expected 100 at most"),
    "attributes without number": (
        f"<Sysmon {' '.join(f'a{n}={chr(34) * 2}' for n in range(1000))}/>", "found 1,000 attributes in an element",
    ),
    "mistakes without number": (sysmon('<Image a="">a</Image>' * 10_001), "found more than 10,000 mistakes"),
    "<NetworkConnect> without number": (
        HEAD + '<NetworkConnect onmatch="include"/>' * 1_001 + FOOT, "found more than 1,000 <NetworkConnect>",
    ),
    "empty tokens": (sysmon(image(";" * 100_000, "contains any")), "found 100,001 empty tokens in a value"),
    "a version that is none": (GOOD.replace("4.90", "9" * 5000), "expected a number such as"),
    "a version that is infinite": (GOOD.replace("4.90", "1e999"), "expected 4.0 or later"),
    "a size that is none": (GOOD.replace("<Event", f"<FieldSizes>Image:{'9' * 5000}</FieldSizes><Event"), "Field:N"),
}  # fmt: skip


def run(*arguments: str | Path) -> Result:
    return invoke(*map(str, arguments))


@pytest.mark.parametrize("case", BROKEN, ids=str)
def test_a_broken_configuration_is_an_error_with_its_place(tmp_path: Path, example_log: Path, case: str) -> None:
    text, reason = BROKEN[case]
    path = tmp_path / "sysmon.xml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    assert reason in str(raised.value)
    assert all(line.startswith(f"{path}:") for line in str(raised.value).splitlines())
    checked = run("config", "check", path)
    assert checked.exit_code == 1
    assert reason in checked.stdout
    for verb in (("config", "explain", path), ("read", example_log, "--config", path)):
        ended = run(*verb)
        assert ended.exit_code == 2
        assert reason in ended.stderr


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding: str) -> None:
    """What editors write is read."""
    assert parse(GOOD.encode(encoding)).filter_count == 1


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkdir, link_to_nothing, link_to_itself])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "sysmon.xml"
    make(path)
    with pytest.raises(UsageError, match=r"^cannot read .*sysmon\.xml: "):
        load(path)


def test_a_pipe_that_nobody_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds nobody up, above all no recorder that loads its rules again."""
    monkeypatch.setattr("procwire.bounded._WAIT_S", 0.05)
    os.mkfifo(tmp_path / "sysmon.xml")
    with pytest.raises(UsageError, match=r"sysmon\.xml: nothing came for 0\.05 s$"):
        load(tmp_path / "sysmon.xml")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "sysmon.xml").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(UsageError, match="found more than 16,777,216 bytes, expected 16,777,216 at most"):
        load(tmp_path / "sysmon.xml")


def configuration(filters: str, relation: str = "or") -> Configuration:
    return parse(sysmon(filters, relation).encode())


def test_sql_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    """Names repeat tests: those of many rules would be their square. The rules are explained all the same."""
    filters = "".join(image(str(number), name=f"n{number % 7}") for number in range(10_000))
    with pytest.raises(UsageError, match="found rules whose SQL has more than 16,000,000 characters"):
        compile_sql(configuration(filters, "and"))
    (tmp_path / "sysmon.xml").write_text(sysmon(filters, "and"))
    explained = run("config", "explain", tmp_path / "sysmon.xml")
    assert explained.exit_code == 0
    assert explained.stdout.endswith(
        "/* found rules whose SQL has more than 16,000,000 characters, expected fewer rules */\n"
    )
    assert run("config", "explain", tmp_path / "sysmon.xml", "--sql").exit_code == 2


@pytest.mark.parametrize("values", [[f"C:\\{number}.exe" for number in range(2_001)], [";".join("abc" * 700)]])
def test_many_rules_are_not_compared_with_each_other(values: list[str]) -> None:
    """It would take minutes, and is said."""
    filters = "".join(image(value, "contains any") for value in values)
    texts = [finding.text for finding in check(configuration(filters))]
    assert any(
        "values of Image: of more than 2,000 it is not checked whether rules contradict" in text for text in texts
    )
