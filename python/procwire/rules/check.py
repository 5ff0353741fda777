"""What is legal in a configuration, and wrong: rules that never match, or always, or say what another says already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from procwire.rules.checks.coverage import check_coverage
from procwire.rules.checks.elements import check_elements
from procwire.rules.checks.logic import check_logic
from procwire.rules.checks.repeats import check_repeats
from procwire.rules.checks.values import check_values
from procwire.rules.checks.words import one_line
from procwire.rules.manifest import TOKEN_CONDITIONS
from procwire.rules.model import Configuration, Finding

__all__ = ["check"]

# The last two compare each filter with each of its field: minutes, at more than this.
_CHECKS = (check_values, check_repeats, check_elements)
_COMPARING = (check_logic, check_coverage)
_MOST_COMPARED = 2_000


def check(configuration: Configuration) -> tuple[Finding, ...]:
    """Warnings, and some notes, in the order of their places; what the parser found is not repeated."""
    skipped = list(_not_compared(configuration))
    checks = _CHECKS if skipped else (*_CHECKS, *_COMPARING)
    findings = {finding for check in checks for finding in check(configuration)} | set(skipped)
    return tuple(sorted(replace(finding, text=one_line(finding.text)) for finding in findings))


def _not_compared(configuration: Configuration) -> Iterator[Finding]:
    """That a field has too many values to compare each with each."""
    values: Counter[str] = Counter()
    for element in configuration.network_connect:
        for filter_ in element.filters:
            values[filter_.field] += filter_.value.count(";") + 1 if filter_.condition in TOKEN_CONDITIONS else 1
    for field, count in values.items():
        if count > _MOST_COMPARED:
            text = (
                f"found {count:,} values of {field}: of more than {_MOST_COMPARED:,} it is not checked whether rules "
                "contradict or repeat each other"
            )
            yield Finding(configuration.network_connect[0].place, "warning", text)
