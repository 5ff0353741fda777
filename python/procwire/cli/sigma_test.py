"""`procwire sigma test`: do Sigma rules match the examples beside them, and only those?"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from procwire.cli.exits import ExitCode
from procwire.cli.named_files import named_files
from procwire.plain import plain

if TYPE_CHECKING:
    from procwire.sigma.analysis.testing import Outcome

__all__ = ["run_examples"]


def run_examples(
    rules: Path,
    events: Path | None = None,
    list_: list[str] | None = None,
    to: Literal["text", "ndjson"] = "text",
) -> ExitCode:
    """Run `procwire sigma test`, whose options and help are in `verbs`; return its exit code."""
    from procwire.sigma import test

    report = test(rules, examples=events, lists=named_files("--list", list_))
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
