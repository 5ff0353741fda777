"""`sigma.check` and `sigma.test`: reports on rules, for Python users as for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import procwire
from procwire import sigma
from procwire.sigma.analysis import testing
from procwire.sysmon import parse
from sigma_cases import document

HIT = "- {match: true, event: {DestinationPort: 4444}}\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yml").write_text(document("DestinationPort: 4444"))
        (tmp_path / f"{name}.test.yml").write_text(HIT)
    return tmp_path


def test_folder_is_loaded_once_however_many_rules_have_examples(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def load(paths: Sequence[Path], *, lists: None) -> sigma.RuleSet:
        assert lists is None
        loads.append(paths)
        return sigma.load(paths)

    monkeypatch.setattr(testing, "load", load)
    assert sigma.test(rules).passed == 3
    assert loads == [[rules]]


def test_report_of_a_test_counts_what_passed(rules: Path) -> None:
    (rules / "b.test.yml").write_text(HIT.replace("4444", "443"))
    report = sigma.test(rules)
    assert (report.passed, report.is_sound) == (2, False)
    assert [outcome.path for outcome in report.outcomes if not outcome.passed] == [str(rules / "b.test.yml")]
    assert sigma.test(str(rules / "b.yml"), examples=str(rules / "a.test.yml")).is_sound


def test_rules_are_checked_in_data_that_python_opened(rules: Path, example_log: Path) -> None:
    (rules / "b.yml").write_text(document("DestinationPort: 5355"))
    report = sigma.check([rules], connection=procwire.connect(example_log))
    assert [(verdict.status, bool(verdict.matches)) for verdict in report.verdicts] == [
        ("runs", False),
        ("matches", True),
        ("runs", False),
    ]
    assert report.is_sound


def test_rules_are_checked_under_a_configuration(rules: Path) -> None:
    configuration = parse(
        b"<Sysmon schemaversion='4.90'><EventFiltering><NetworkConnect onmatch='include'>"
        b"<DestinationPort>443</DestinationPort></NetworkConnect></EventFiltering></Sysmon>"
    )
    report = sigma.check(sigma.load([rules]), configuration=configuration)
    assert report.counts == {"filtered": 3}
    assert not report.is_sound
