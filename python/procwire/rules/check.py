"""What is legal in a configuration, and wrong: rules that never match, or always, or say what another says already."""

from __future__ import annotations

from dataclasses import replace

from procwire.rules.checks.coverage import check_coverage
from procwire.rules.checks.elements import check_elements
from procwire.rules.checks.logic import check_logic
from procwire.rules.checks.repeats import check_repeats
from procwire.rules.checks.values import check_values
from procwire.rules.checks.words import one_line
from procwire.rules.model import Configuration, Finding

__all__ = ["check"]

_CHECKS = (check_values, check_repeats, check_logic, check_coverage, check_elements)


def check(configuration: Configuration) -> tuple[Finding, ...]:
    """Warnings, and some notes, in the order of their places; what the parser found is not repeated."""
    findings = {finding for check in _CHECKS for finding in check(configuration)}
    return tuple(sorted(replace(finding, text=one_line(finding.text)) for finding in findings))
