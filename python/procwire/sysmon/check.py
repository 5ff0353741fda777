"""Find mistakes that are legal in a configuration: rules that never or always match, or repeat another."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from procwire.errors import ConfigurationError
from procwire.sysmon.checks.coverage import check_coverage
from procwire.sysmon.checks.elements import check_elements
from procwire.sysmon.checks.logic import check_logic
from procwire.sysmon.checks.repeats import check_repeats
from procwire.sysmon.checks.values import check_values
from procwire.sysmon.checks.words import lines, one_line
from procwire.sysmon.document import MAX_BYTES
from procwire.sysmon.manifest import TOKEN_CONDITIONS
from procwire.sysmon.model import NETWORK_CONNECT, Configuration, Finding, Place
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
    """What the parser and the checks found, in the order of their places; without those in `of_others`."""
    about: str
    """What the configuration does, in short; or why its rules were not checked."""
    of_others: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    """What was found in the rules of events other than NetworkConnect, by the event."""

    @property
    def every(self) -> Sequence[Finding]:
        """Return every finding, those about other events last."""
        return [*self.findings, *(finding for found in self.of_others.values() for finding in found)]

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.every)

    def in_short(self, severities: Collection[str]) -> list[Finding]:
        """Return the findings of some severities, those about each other event, if several, as one of each severity."""
        short = [finding for finding in self.findings if finding.severity in severities]
        for event, found in self.of_others.items():
            for severity in dict.fromkeys(finding.severity for finding in found):
                if severity in severities:
                    short.append(_summed(event, [finding for finding in found if finding.severity == severity]))
        return short


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
    every = sorted({*read_on, *check(configuration)})
    events = _events_by_place(configuration)
    ours: list[Finding] = []
    of_others: dict[str, list[Finding]] = {}
    for finding in every:
        event = events.get(finding.place, NETWORK_CONNECT)
        (ours if event == NETWORK_CONNECT else of_others.setdefault(event, [])).append(finding)
    return CheckedFile(name, ours, _about(configuration), of_others)


def _events_by_place(configuration: Configuration) -> dict[Place, str]:
    """Return the event of everything that stands in an element."""
    events: dict[Place, str] = {}
    for element in configuration.elements:
        events |= dict.fromkeys((element.place, *(one.place for one in element.operands)), element.event)
        events |= dict.fromkeys((filter_.place for filter_ in element.filters), element.event)
    return events


def _summed(event: str, found: Sequence[Finding]) -> Finding:
    if len(found) == 1:
        return found[0]
    first, *others = found
    text = f"{first.text}; {counted(len(others), f'more {first.severity}')} about {event}, "
    return replace(first, text=text + lines(finding.place.line for finding in others))


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
    for name, count in values.items():
        if count > _MOST_COMPARED:
            text = (
                f"found {count:,} values of {name}: of more than {_MOST_COMPARED:,} it is not checked whether rules "
                "contradict or repeat each other"
            )
            yield Finding(configuration.network_connect[0].place, "warning", text)
