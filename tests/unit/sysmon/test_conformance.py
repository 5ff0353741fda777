"""Sysmon's rules as tables that a Sysmon expert can read: `table_*.py` beside this file.

Each case is put to the reference, to the SQL and to `ConfigFilter`, and each must say what Sysmon does, with
Sysmon's bug of stale names and without it.
"""

from __future__ import annotations

from itertools import chain

import pytest
from table_conditions import CONDITIONS
from table_documents import DOCUMENTS
from table_evaluation import DEFAULTS, FAILURES, ORDER, RELATIONS
from table_facts import FACTS
from table_names import NAMES, STALE
from table_texts import LOOKUPS, TEXTS

from rule_cases import NO, UNNAMED, WAYS, Case, Way, configuration, row

CASES = tuple(chain(FACTS, TEXTS, LOOKUPS, DEFAULTS, ORDER, RELATIONS, FAILURES, NAMES, STALE, DOCUMENTS))
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@ways
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_case(case: Case, way: Way) -> None:
    """A configuration says of events what Sysmon says."""
    assert way(case.configuration, case.rows) == case.verdicts(strict=False)
    assert way(case.configuration, case.rows, strict=True) == case.verdicts(strict=True)


@ways
def test_conditions(way: Way) -> None:
    """Each condition, as the only filter of an include and of an exclude."""
    for condition, value, text, matches in CONDITIONS:
        rows = [row({"Image": text})]
        for onmatch, verdict in (("include", UNNAMED if matches else NO), ("exclude", NO if matches else UNNAMED)):
            snippet = f'<{onmatch}><Image condition="{condition}"><![CDATA[{value}]]></Image></{onmatch}>'
            assert way(configuration(snippet), rows) == [verdict], (onmatch, condition, value, text)


def test_tables_are_as_large_as_they_say() -> None:
    """Twenty cases and their like, sixty more at the least; no title twice, every verdict among the expected."""
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles) >= 20 + 120
    assert len(CONDITIONS) >= 100
    verdicts = [verdict for case in CASES for verdict in case.verdicts(strict=False)]
    assert min(verdicts.count(NO), verdicts.count(UNNAMED)) >= 60
    assert sum(case.verdicts(strict=True) != case.verdicts(strict=False) for case in STALE) >= 8
