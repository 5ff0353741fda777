"""`procwire rules test`: do Sigma rules match the examples that stand beside them, and only those?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.plain import plain

if TYPE_CHECKING:
    from procwire.sigma.analysis.testing import Outcome

__all__ = ["EXAMPLES", "try_rules"]

EXAMPLES = """\b
Examples:
  procwire rules test notepad.yml                    by the examples in notepad.test.yml
  procwire rules test notepad.yml --events more.yml  by those of another file
  procwire rules test rules/                         every rule that has examples

\b
Examples are a list in YAML; fields have Sysmon's names:
  - name: notepad talks to a server
    match: true
    event:
      Image: C:\\Windows\\System32\\notepad.exe
      Initiated: true
      DestinationIp: 203.0.113.5
      DestinationPort: 443

\b
Exit codes:
  0    all examples pass
  1    one fails, or a rule with examples does not run
  2    the command line cannot be used, there are no examples, or a file of them has a mistake
"""


@ends_well
def try_rules(
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="A Sigma rule, or a folder of them.", show_default=False)
    ],
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The examples. [default: RULE.test.yml beside RULE.yml]")
    ] = None,
    to: Annotated[
        Literal["text", "ndjson"], typer.Option(help="Format of the outcomes; ndjson is one object a line.")
    ] = "text",
) -> ExitCode:
    """Test Sigma rules by examples: events that they are to match, and events that they are not, and say why.

    Outcomes go to stdout, a summary to stderr.
    """
    from procwire.sigma import test

    report = test(rules, examples=events)
    for outcome in report.outcomes:
        _write(outcome, to)
    sys.stdout.flush()
    sys.stderr.write(f"{report.passed:,} of {len(report.outcomes):,} examples pass\n")
    return ExitCode.VALID if report.is_sound else ExitCode.INVALID


def _write(outcome: Outcome, to: str) -> None:
    if to == "ndjson":
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        return
    name = f" ({outcome.name})" if outcome.name else ""
    word = "ok" if outcome.passed else "FAILED"
    sys.stdout.write(plain(f"{outcome.path}: {outcome.number}{name}: {word}: {outcome.text}") + "\n")
