"""Placeholders get their values from files, one a line or a column of CSV, within limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.errors import UsageError
from procwire.sigma import RuleSet, load
from procwire.sigma.loading import lists
from sigma_cases import by_matches, document


def with_list(tmp_path: Path, detection: str, values: str, name: str = "tools.txt") -> RuleSet:
    rule, file = tmp_path / "rule.yml", tmp_path / name
    rule.write_text(document(detection), encoding="utf-8")
    file.write_text(values, encoding="utf-8")
    return load([rule], lists={"tools": file})


def test_values_are_one_a_line(tmp_path: Path) -> None:
    found = with_list(tmp_path, "Image|endswith|expand: '\\%tools%'", "# programs\n a.exe \n\nb.exe\n")
    assert found.problems == ()
    events = [{"Image": f"C:\\{name}"} for name in ("a.exe", "b.exe", "c.exe", "# programs")]
    assert by_matches(found, events) == [True, True, False, False]


def test_other_modifiers_apply_to_the_values(tmp_path: Path) -> None:
    found = with_list(tmp_path, "DestinationIp|expand|cidr: '%tools%'", "10.0.0.0/8\n::1/128\n")
    events = [{"DestinationIp": address} for address in ("10.1.1.1", "::1", "11.0.0.1")]
    assert by_matches(found, events) == [True, True, False]
    found = with_list(tmp_path, "DestinationPort|expand: ['%tools%', 22]", "443\n80\n")
    assert by_matches(found, [{"DestinationPort": port} for port in (443, 80, 22, 23)]) == [True, True, True, False]


def test_several_placeholders_in_a_value(tmp_path: Path) -> None:
    found = with_list(tmp_path, "Image|expand: 'C:\\%tools%\\%tools%'", "a\nb\n")
    events = [{"Image": f"C:\\{one}\\{two}"} for one, two in ("aa", "ab", "ba", "ac")]
    assert by_matches(found, events) == [True, True, True, False]


def test_wildcards_of_a_value_count(tmp_path: Path) -> None:
    found = with_list(tmp_path, "DestinationHostname|expand: '%tools%'", "*.example\n")
    assert by_matches(found, [{"DestinationHostname": "a.example"}, {"DestinationHostname": "a.test"}]) == [True, False]


@pytest.mark.parametrize(
    "text",
    ["tools\na.exe\nb.exe\n", "n,Tools\n1,a.exe\n2,b.exe\n3\n", "a.exe\nb.exe\n", 'n,tools\n1,"a.exe"\n\n2,b.exe\n'],
)
def test_csv(tmp_path: Path, text: str) -> None:
    found = with_list(tmp_path, "Image|expand: '%tools%'", text, "tools.csv")
    assert by_matches(found, [{"Image": name} for name in ("a.exe", "b.exe", "tools", "1")]) == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a,b\n1,2\n", "tools.csv", "found the columns a, b, expected one of the name tools"),
        ("# nothing\n\n", "tools.txt", "found no values, expected those of tools, one a line"),
        ("a\0b", "tools.txt", "found a zero byte"),
        ("\n".join(map(str, range(100_001))), "tools.txt", "found 100,001 values of tools, expected 100,000 at most"),
    ],
)
def test_list_that_cannot_be_used(tmp_path: Path, text: str, name: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_list(tmp_path, "Image|expand: '%tools%'", text, name)
    assert expected in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_list_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(document("Image: 'a'"))
    (tmp_path / "latin").write_bytes(b"M\xfcller")
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=r"^cannot read .*, the values of tools: "):
            load([tmp_path / "rule.yml"], lists={"tools": path})
    with pytest.raises(UsageError, match=r"found text that is not UTF-8, expected the values of tools"):
        load([tmp_path / "rule.yml"], lists={"tools": tmp_path / "latin"})


def test_too_many_values_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_TESTS", 10)
    found = with_list(tmp_path, "Image|expand: '%tools%%tools%'", "\n".join("abcd"))
    assert found.problems[0].reason == "found 16 values of Image|expand, expected 10 at most"


def test_placeholder_without_a_list_keeps_the_rule_from_running(tmp_path: Path) -> None:
    found = with_list(tmp_path, "Image|expand: ['%tools%', '%toolz%']", "a\n")
    assert found.rules == ()
    assert "found placeholder %toolz%, expected its values in its place, or in a file: --list toolz=FILE" in (
        found.problems[0].reason
    )


def test_every_value_at_once_is_refused(tmp_path: Path) -> None:
    found = with_list(tmp_path, "Image|contains|expand|all: '%tools%'", "a\nb\n")
    assert found.problems[0].reason.startswith("found Image|contains|expand|all, which asks for every value of a list")


def test_list_that_no_rule_asks_for_is_named(tmp_path: Path) -> None:
    assert with_list(tmp_path, "Image: 'a'", "a\n").unused_lists == ("tools",)
    assert with_list(tmp_path, "Image|expand: '%tools%'", "a\n").unused_lists == ()
