"""`procwire map`: propose a mapping for a log of unknown format, and try one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.reading import exit_code, report
from procwire.plain import plain
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["attempt", "propose"]

_SHOWN_KEYS = 40
_SHOWN_CHARACTERS = 60


def propose(logs: list[str]) -> ExitCode:
    """Run `procwire map propose`; return its exit code."""
    from procwire.mapping import propose as proposed

    proposal = proposed(logs)
    sys.stdout.write(proposal.toml)
    for key, value in list(proposal.unused.items())[:_SHOWN_KEYS]:
        sys.stdout.write(f"# not used: {plain(key)} = {plain(value[:_SHOWN_CHARACTERS])}\n")
    if proposal.missing:
        complain(f"found no key for {', '.join(proposal.missing)}: name them in [fields], if the log has them")
    return ExitCode.ALL_READ


def attempt(mapping: Path, logs: list[str], limit: int = 3, names: Names = "ossem") -> ExitCode:
    """Run `procwire map try`; return its exit code."""
    from procwire.mapping import try_mapping

    trial = try_mapping(mapping, logs, limit=limit, names=names)
    for number, row in enumerate(trial.rows, start=1):
        sys.stdout.write(f"{number}\n")
        width = max(map(len, row), default=0)
        for name, value in row.items():
            sys.stdout.write(f"  {name:<{width}}  {plain(str(value))}\n")
    if trial.unused:
        sys.stderr.write(f"{counted(len(trial.unused), 'key')} not used:\n")
        for key, value in list(trial.unused.items())[:_SHOWN_KEYS]:
            sys.stderr.write(f"  {plain(key)} = {plain(value[:_SHOWN_CHARACTERS])}\n")
    report(trial.ledger)
    return exit_code(trial.ledger, None) if trial.rows else ExitCode.NOTHING_READ
