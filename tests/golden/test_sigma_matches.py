"""Sigma rules over real logs: matches are those that the specification gives for the log's texts, and those reviewed.

Rules of our own run over the repository's logs; those of SigmaHQ, whose licence keeps them out of it, over the whole
corpus, where PROCWIRE_CORPUS names its folder. `sigma/matches.json` and `sigma/corpus_*.json` are what was reviewed:
`python tests/golden/test_sigma_matches.py` writes them again.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import truth
import yaml
from sigma.rule import SigmaRule

import procwire
from procwire.sigma import RuleSet, SigmaStream, load, reference
from procwire.sources import read_batches

CORPUS = Path(os.environ["PROCWIRE_CORPUS"]) if os.environ.get("PROCWIRE_CORPUS") else None
GOLDEN = Path(__file__).parent / "sigma"
OWN = GOLDEN / "rules.yml"

needs_corpus = pytest.mark.skipif(CORPUS is None, reason="PROCWIRE_CORPUS names no folder with the whole corpus")

Matches = dict[str, dict[str, list[Any]]]
"""By the log, by the rule's id: the records' ids; of logs without them, the lines."""


def cases(root: Path) -> list[truth.Case]:
    return [case for case in truth.cases(root) if case.truth is not None and case.events]


def params(root: Path | None) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases(root)] if root else []


@cache
def rules_of(path: Path) -> RuleSet:
    return load([path])


@cache
def stream_of(path: Path) -> SigmaStream:
    return SigmaStream(rules_of(path))


@cache
def parsed(path: Path) -> dict[str, SigmaRule]:
    """pySigma's rules by their id, those that run."""
    files = [path] if path.is_file() else sorted(path.rglob("*.yml"))
    found = [SigmaRule.from_dict(one) for file in files for one in yaml.safe_load_all(file.read_text("utf-8"))]
    running = {rule.id for rule in rules_of(path).rules}
    return {str(rule.id): rule for rule in found if str(rule.id) in running}


def matches(case: truth.Case, rules: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ids of rules, and the rows that they match."""
    for batch in read_batches([case.path], ledger=procwire.Ledger()):
        for match in stream_of(rules).matches(batch).to_pylist():
            yield match["rule_id"], match


def reviewed(case: truth.Case, rules: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for rule, match in matches(case, rules):
        record = match["record_id"] if match["record_id"] is not None else f"line {match['source_line']}"
        found.setdefault(rule, []).append(record)
    return {rule: sorted(records, key=str) for rule, records in sorted(found.items())}


def all_reviewed(root: Path, rules: Path) -> Matches:
    found = {case.name: reviewed(case, rules) for case in cases(root)}
    return {name: one for name, one in found.items() if one}


def texts(record: dict[str, Any], *, shipped: bool) -> dict[str, str | None]:
    """The log's own texts."""
    data = {**record.get("EventDataFromMessage", {}), **{k: v for k, v in record["EventData"].items() if v}}
    if shipped:
        data = {name: html.unescape(value) for name, value in data.items()}
    system = record["System"]
    return {**data, "ProviderName": system.get("Provider_Name"), "Computer": system.get("Computer")}


def expected(case: truth.Case, rules: Path) -> list[tuple[int, str]]:
    """The truth's events by their number, and the rules that match them by the specification."""
    assert case.truth is not None
    shipped = case.name.startswith(("json/", "csv-azure/", "linux/"))
    events = [texts(record, shipped=shipped) for record in truth.records(case.truth)]
    return sorted(
        (number, name)
        for name, rule in parsed(rules).items()
        for number, event in enumerate(events)
        if reference.matches(rule, event)
    )


def found(case: truth.Case, rules: Path) -> list[tuple[int, str]]:
    places = {
        (row["source_offset"], row["source_file"]): number
        for number, row in enumerate(procwire.read(case.path).to_pylist())
    }
    return sorted((places[match["source_offset"], match["source_file"]], rule) for rule, match in matches(case, rules))


def load_golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text("utf-8"))


@pytest.mark.parametrize("case", params(truth.DATA))
def test_matches_of_our_rules_are_the_specifications(case: truth.Case) -> None:
    assert found(case, OWN) == expected(case, OWN)


@needs_corpus
@pytest.mark.parametrize("case", params(CORPUS))
def test_matches_of_sigmahqs_rules_are_the_specifications(case: truth.Case) -> None:
    assert CORPUS is not None
    assert found(case, CORPUS / "sigma") == expected(case, CORPUS / "sigma")


def test_matches_of_our_rules_are_those_reviewed() -> None:
    assert all_reviewed(truth.DATA, OWN) == load_golden("matches.json")


@needs_corpus
def test_matches_of_sigmahqs_rules_are_those_reviewed() -> None:
    assert CORPUS is not None
    assert all_reviewed(CORPUS, CORPUS / "sigma") == load_golden("corpus_matches.json")


@needs_corpus
def test_every_rule_of_sigmahq_runs_or_is_listed_with_its_reason() -> None:
    assert CORPUS is not None
    assert listed(CORPUS) == load_golden("corpus_rules.json")


def listed(corpus: Path) -> dict[str, str]:
    """Each file of rules: that it runs, on what, or why not."""
    root, rules = corpus / "sigma", rules_of(corpus / "sigma")
    running = {rule.path: f"runs on {rule.view}, {rule.level}" for rule in rules.rules}
    reasons = {problem.path: problem.reason for problem in rules.problems}
    files = sorted(root.rglob("*.yml"))
    return {str(file.relative_to(root)): (running | reasons)[str(file)] for file in files}


def _write() -> None:
    written: dict[str, Any] = {"matches.json": all_reviewed(truth.DATA, OWN)}
    if CORPUS is not None:
        written["corpus_matches.json"] = all_reviewed(CORPUS, CORPUS / "sigma")
        written["corpus_rules.json"] = listed(CORPUS)
    for name, content in written.items():
        lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
        (GOLDEN / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    _write()
