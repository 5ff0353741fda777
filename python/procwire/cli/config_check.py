"""`procwire config check`: the mistakes in Sysmon's configuration files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

import typer

from procwire.cli.exits import ExitCode, complain, ends_well
from procwire.errors import ConfigurationError, UsageError
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.rules.model import Configuration, Finding

__all__ = ["EXAMPLES", "CheckFormat", "check"]

CheckFormat = Literal["text", "json"]

EXAMPLES = """\b
Examples:
  procwire config check sysmonconfig.xml              errors and warnings, each with its place
  procwire config check --notes modules/*.xml         also what is legal and has no effect
  procwire config check --lenient old.xml             a schema below 4.0, a fragment without <Sysmon>
  git show HEAD:sysmon.xml | procwire config check -  from a pipe
  procwire config check --strict sysmonconfig.xml     in CI: warnings fail, too
  procwire config check --to json sysmonconfig.xml | jq -r 'select(.severity == "warning").line'

\b
Findings are lines FILE:LINE:COLUMN: SEVERITY: TEXT, as editors and CI know them:
  error    Sysmon refuses it, or reads something else than is written
  warning  legal, and likely wrong
  note     legal, and without effect here

\b
Exit codes:
  0    no errors
  1    errors, or with --strict warnings
  2    the command line cannot be used, or a file cannot be read
"""


class _Checked(NamedTuple):
    path: str
    findings: Sequence[Finding]
    about: str
    """What the configuration does, in short."""


@ends_well
def check(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Sysmon configurations; - is stdin.", show_default=False),
    ],
    notes: Annotated[bool, typer.Option("--notes", help="Also show what is legal and has no effect.")] = False,
    lenient: Annotated[
        bool,
        typer.Option(
            "--lenient",
            help="Read on where Sysmon refuses or skips something: older schemas, fragments, unknown names. "
            "Errors become warnings.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")] = False,
    to: Annotated[CheckFormat, typer.Option(help="Format of the findings; json is one object a line.")] = "text",
) -> ExitCode:
    """Find the mistakes in Sysmon configurations: errors, and what is legal and wrong.

    Rules that never match or always, that repeat or contradict each other, values that Sysmon compares otherwise than
    they look. All checks look at NetworkConnect; those of text (repeats, lists of tokens, paths) at every event.
    Findings go to stdout; a summary of each file goes to stderr.
    """
    checked = [one for path in paths if (one := _checked(path, lenient))]
    for one in checked:
        _write(one.path, [finding for finding in one.findings if notes or finding.severity != "note"], to)
        _summarize(one, notes)
    if len(checked) < len(paths):
        return ExitCode.USAGE
    failing = ("error", "warning") if strict else ("error",)
    failed = any(finding.severity in failing for one in checked for finding in one.findings)
    return ExitCode.INVALID if failed else ExitCode.VALID


def _checked(path: str, lenient: bool) -> _Checked | None:
    """A file's findings; None, with a complaint, if it cannot be read."""
    from procwire.rules.check import check as check_configuration

    name = "stdin" if path == "-" else path
    try:
        configuration = _configuration(path)
    except ConfigurationError as error:
        return _Checked(name, cast("Sequence[Finding]", error.findings), "no configuration that can be read on")
    except UsageError as error:
        complain(str(error))
        return None
    findings = configuration.findings
    if not lenient and any(finding.severity == "error" for finding in findings):
        # What was left out for an error would make for findings that are none.
        return _Checked(name, findings, "the rules are checked when the errors are gone, or with --lenient")
    read_on = [replace(found, severity="warning") if found.severity == "error" else found for found in findings]
    return _Checked(name, sorted({*read_on, *check_configuration(configuration)}), _about(configuration))


def _configuration(path: str) -> Configuration:
    """Read leniently, so that all the errors are told, and not only those before the first grave one."""
    from procwire.rules.document import MAX_BYTES
    from procwire.rules.parse import load, parse

    # One byte more than may be, so that more is found out.
    return (
        parse(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin", lenient=True) if path == "-" else load(path, lenient=True)
    )


def _about(configuration: Configuration) -> str:
    elements = configuration.network_connect
    parts = [f"{sum(element.onmatch == kind for element in elements)} {kind}" for kind in ("include", "exclude")]
    rest = "logged" if configuration.logs_by_default else "not logged"
    return (
        f"schema {configuration.schema}, {counted(len(elements), 'NetworkConnect element')} ({', '.join(parts)}) with "
        f"{counted(configuration.filter_count, 'filter')}; what matches none is {rest}"
    )


def _write(path: str, findings: Iterable[Finding], to: CheckFormat) -> None:
    from procwire.sinks.plain import plain

    for finding in findings:
        line, column = finding.place
        if to == "json":
            told = {"file": path, "line": line, "column": column, "severity": finding.severity, "text": finding.text}
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            sys.stdout.write(plain(f"{path}:{line}:{column}: {finding.severity}: {finding.text}") + "\n")
    sys.stdout.flush()


def _summarize(checked: _Checked, notes: bool) -> None:
    from procwire.sinks.plain import plain

    errors, warnings, noted = (
        sum(finding.severity == severity for finding in checked.findings) for severity in ("error", "warning", "note")
    )
    counts = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    if noted:
        counts += f", {counted(noted, 'note')}" + ("" if notes else " (--notes)")
    sys.stderr.write(plain(f"{checked.path}: {checked.about}; {counts}") + "\n")
