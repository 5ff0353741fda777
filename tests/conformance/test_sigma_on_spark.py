"""Sigma rules find the same on DuckDB and on a cluster of Spark; SigmaHQ's too, where PROCWIRE_CORPUS has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest
from agreement import Engines, assert_same

from procwire.sigma import RuleSet, detect, load
from sigma_cases import document, loaded

pytestmark = pytest.mark.filterwarnings("ignore")

OWN = Path(__file__).parents[1] / "golden" / "sigma" / "rules.yml"
PATHS = [OWN, *([Path(os.environ["PROCWIRE_CORPUS"]) / "sigma"] if os.environ.get("PROCWIRE_CORPUS") else [])]
# What engines might read differently.
TESTS = (
    "Image|endswith: '.EXE'",
    "Image|contains: '\\'",
    "Image: '?:\\\\*s*.exe'",
    "Image|contains: ['_', '%', '!']",
    "Image|cased|contains: 'Program'",
    "Image|re: '^[A-Z]:.+\\\\[^\\\\]+[.]exe$'",
    "Image|re|i: 'CHROME'",
    "Image|re: 'straß|ä'",
    "User: null",
    "User|contains: 'AUTHORI'",
    "DestinationHostname|contains: 'É'",
    "DestinationPort: ['44*', 80]",
    "DestinationPort|gte: 1024.5",
    "Initiated: 't*'",
    "Initiated: false",
    "DestinationIp|cidr: ['10.0.0.0/8', '2001:db8::/32']",
    "DestinationIp|cidr: '::/0'",
    "DestinationIp: ['10.*', '::1']",
    "DestinationIp|startswith: ['fe80:0:', '2001:']",
    "DestinationIp|re: ':0:|:db8:'",
    "UtcTime|hour: [3, 12]",
    "UtcTime|week: [1, 2]",
    "UtcTime|startswith: '2026-01-05 0'",
    "SourceIp|fieldref: DestinationIp",
    "SourceHostname|fieldref|startswith: Computer",
    "a: ['svchost', 'chrome*exe']\ncondition: a",
    "Image|windash|contains: ' -x'",
)
COUNTED = """
title: Many ports
correlation:
    type: value_count
    rules: [{id}]
    timespan: 10m
    group-by: [Computer, Image]
    condition: {{field: DestinationPort, gte: 2}}
"""


def found(engines: Engines, rules: RuleSet) -> pa.Table:
    """What both find."""
    expected = detect(engines.duckdb, rules).read_all()
    assert_same(expected, detect(engines.spark, rules).read_all(), in_order=False)
    return expected


def test_rules_find_the_same(engines: Engines) -> None:
    rules = load(PATHS)
    assert rules.rules
    matches = found(engines, rules)
    assert matches.num_rows
    assert all(json.loads(text) for text in matches["matched"].unique().to_pylist())


def test_tests_are_the_same(engines: Engines) -> None:
    """Each over every row, those by hand too."""
    rules = [loaded(document(text, product="")).rules[0] for text in TESTS]
    columns = ", ".join(f"coalesce({rule.sql}, false) AS test_{number}" for number, rule in enumerate(rules))
    answer = engines.agree(f"SELECT record_id, {columns} FROM connections")
    matching = [text for number, text in enumerate(TESTS) if any(answer[f"test_{number}"].to_pylist())]
    # Else they would agree on nothing.
    assert len(matching) >= 20


def test_correlations_find_the_same(engines: Engines) -> None:
    base = document("Initiated: true", product="").replace("title: A", "title: A\nname: base")
    assert found(engines, loaded(base, COUNTED.format(id="base"))).num_rows
