"""Python users get what `config check`, `test` and `explain` print, as dataclasses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from procwire.errors import UsageError
from procwire.ledger import Ledger
from procwire.sources import read_batches
from procwire.sysmon.check import check_file
from procwire.sysmon.explaining.decisions import described_case, logged_cases
from procwire.sysmon.measuring.figures import COLUMNS, filter_counts, measure, rows
from procwire.sysmon.parse import load

CONFIG = Path(__file__).parents[3] / "examples" / "configs" / "server-windows.xml"


def test_file_is_checked_with_its_findings_and_what_it_does() -> None:
    checked = check_file(str(CONFIG))
    assert (checked.path, checked.count("error")) == (str(CONFIG), 0)
    assert checked.about.startswith("schema 4.90, 3 NetworkConnect elements")
    with pytest.raises(UsageError):
        check_file("nowhere.xml")


def test_rows_come_in_the_order_of_the_file_or_of_a_figure(example_log: Path) -> None:
    report = measure(load(CONFIG), read_batches([example_log], ledger=Ledger()))
    lines = [row.rule.place.line for row in rows(report)]
    assert lines == sorted(lines)
    matched = [row.figures.matched for row in rows(report, "matched")]
    assert matched == sorted(matched, reverse=True)
    never = rows(report, never_matched=True)
    assert never
    assert not any(row.figures.matched for row in never)
    assert filter_counts(report).never_matched == sum(row.is_filter for row in never)
    assert tuple(never[0].to_dict()) == COLUMNS


def test_decisions_over_a_log_are_those_of_its_connections(example_log: Path) -> None:
    cases = list(logged_cases(load(CONFIG), read_batches([example_log], ledger=Ledger())))
    assert len(cases) == 153
    assert sum(case.decision.logged for case in cases) == 153 - 25 - 2 - 11


def test_described_connection_says_what_it_lacks() -> None:
    case = described_case(load(CONFIG), ["Initiated=true,DestinationPort=443"])
    assert case.decision.logged
    assert "Image" in case.missing
    assert case.to_dict()["rule_name"] == "Outbound"


def test_file_is_checked_without_arrow_and_duckdb() -> None:
    """Both take many times as long to import as the checks take."""
    code = f"import sys; from procwire.sysmon.check import check_file; check_file({str(CONFIG)!r}); "
    code += "print({'pyarrow', 'duckdb'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
