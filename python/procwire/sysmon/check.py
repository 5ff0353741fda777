"""Find mistakes that are legal in a configuration: rules that never or always match, or repeat another."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from procwire.errors import ConfigurationError
from procwire.sysmon.checks.coverage import check_coverage
from procwire.sysmon.checks.elements import check_elements
from procwire.sysmon.checks.logic import check_logic
from procwire.sysmon.checks.repeats import check_repeats
from procwire.sysmon.checks.values import check_values
from procwire.sysmon.checks.words import one_line
from procwire.sysmon.document import MAX_BYTES
from procwire.sysmon.manifest import TOKEN_CONDITIONS
from procwire.sysmon.model import Configuration, Finding
from procwire.sysmon.parse import load, parse
from procwire.words import counted

__all__ = ["CheckedFile", "check", "check_file"]

# The last two checks compare all filters of a field with each other, which takes minutes above this number.
_CHECKS = (check_values, check_repeats, check_elements)
_COMPARING = (check_logic, check_coverage)
_MOST_COMPARED = 2_000


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """Hold a configuration file's findings."""

    path: str
    """`stdin` for standard input."""
    findings: Sequence[Finding]
    """Findings of the parser and the checks, in the order of their places."""
    about: str
    """A summary of the configuration; or why its rules were not checked."""

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


def check_file(path: str, *, lenient: bool = False) -> CheckedFile:
    """Check a configuration file; `-` is standard input.

    lenient: continue where Sysmon refuses or skips something; errors become warnings. Otherwise the rules of a file
    with errors are not checked.

    Raises UsageError if the file cannot be read.
    """
    name = "stdin" if path == "-" else path
    try:
        # Always lenient, to find all errors, not only those up to the first fatal one.
        configuration = (
            # One byte more than allowed, so that a longer file is refused.
            parse(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin", lenient=True)
            if path == "-"
            else load(path, lenient=True)
        )
    except ConfigurationError as error:
        return CheckedFile(
            name, cast("Sequence[Finding]", error.findings), "not a configuration, so nothing more is checked"
        )
    findings = configuration.findings
    if not lenient and any(finding.severity == "error" for finding in findings):
        # Parts that were dropped because of an error would cause false findings.
        return CheckedFile(name, findings, "the rules are checked once the errors are fixed, or with --lenient")
    read_on = [replace(found, severity="warning") if found.severity == "error" else found for found in findings]
    return CheckedFile(name, sorted({*read_on, *check(configuration)}), _about(configuration))


def _about(configuration: Configuration) -> str:
    elements = configuration.network_connect
    parts = [f"{sum(element.onmatch == kind for element in elements)} {kind}" for kind in ("include", "exclude")]
    rest = "logged" if configuration.logs_by_default else "not logged"
    return (
        f"schema {configuration.schema}, {counted(len(elements), 'NetworkConnect element')} ({', '.join(parts)}) with "
        f"{counted(configuration.filter_count, 'filter')}; what matches none is {rest}"
    )


def check(configuration: Configuration) -> tuple[Finding, ...]:
    """Return warnings, and some notes, in the order of their places, without the parser's findings."""
    skipped = list(_not_compared(configuration))
    checks = _CHECKS if skipped else (*_CHECKS, *_COMPARING)
    findings = {finding for check in checks for finding in check(configuration)} | set(skipped)
    return tuple(sorted(replace(finding, text=one_line(finding.text)) for finding in findings))


def _not_compared(configuration: Configuration) -> Iterator[Finding]:
    """Yield a note for each field that has too many values to compare all with each other."""
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
