"""`procwire config check`: the mistakes in Sysmon's configuration files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, complain, ends_well
from procwire.errors import UsageError
from procwire.plain import plain
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.sysmon.check import CheckedFile
    from procwire.sysmon.model import Finding

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
    checked = [file for path in paths if (file := _checked(path, lenient))]
    for file in checked:
        _write(file.path, [finding for finding in file.findings if notes or finding.severity != "note"], to)
        _summarize(file, notes)
    if len(checked) < len(paths):
        return ExitCode.USAGE
    failed = any(file.count("error") or (strict and file.count("warning")) for file in checked)
    return ExitCode.INVALID if failed else ExitCode.VALID


def _checked(path: str, lenient: bool) -> CheckedFile | None:
    """Check a file; None, with a complaint, if it cannot be read."""
    from procwire.sysmon.check import check_file

    try:
        return check_file(path, lenient=lenient)
    except UsageError as error:
        complain(str(error))
        return None


def _write(path: str, findings: Iterable[Finding], to: CheckFormat) -> None:
    for finding in findings:
        line, column = finding.place
        if to == "json":
            found = {"file": path, "line": line, "column": column, "severity": finding.severity, "text": finding.text}
            sys.stdout.write(json.dumps(found) + "\n")
        else:
            sys.stdout.write(plain(f"{path}:{line}:{column}: {finding.severity}: {finding.text}") + "\n")
    sys.stdout.flush()


def _summarize(checked: CheckedFile, notes: bool) -> None:
    counts = f"{counted(checked.count('error'), 'error')}, {counted(checked.count('warning'), 'warning')}"
    if noted := checked.count("note"):
        counts += f", {counted(noted, 'note')}" + ("" if notes else " (--notes)")
    sys.stderr.write(plain(f"{checked.path}: {checked.about}; {counts}") + "\n")
