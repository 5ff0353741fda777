"""`procwire config check`: the mistakes in Sysmon's configuration files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode, complain
from procwire.errors import UsageError
from procwire.plain import plain
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.sysmon.check import CheckedFile
    from procwire.sysmon.model import Finding

__all__ = ["CheckFormat", "check"]

CheckFormat = Literal["text", "json"]


def check(
    paths: list[str],
    notes: bool = False,
    lenient: bool = False,
    strict: bool = False,
    to: CheckFormat = "text",
) -> ExitCode:
    """Run `procwire config check`, whose options and help are in `verbs`; return its exit code."""
    checked = [file for path in paths if (file := _checked(path, lenient))]
    for file in checked:
        severities = ("error", "warning", *(("note",) if notes else ()))
        found = (finding for finding in file.every if finding.severity in severities)
        _write(file.path, found if to == "json" else file.in_short(severities), to)
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
