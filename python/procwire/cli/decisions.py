"""How a configuration decides over single connections, as a page to read or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.page import Page
from procwire.ledger import Ledger
from procwire.sysmon.explaining.decisions import Case, described_case
from procwire.sysmon.explaining.story import story_lines, verdict_lines
from procwire.words import counted

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.sysmon.model import Configuration

__all__ = ["show_decisions"]


def show_decisions(
    configuration: Configuration,
    *,
    logs: list[str],
    period: tuple[datetime | None, datetime | None],
    descriptions: list[str],
    limit: int,
    to: str,
    strict: bool,
    verbose: bool,
) -> ExitCode:
    """Explain the decision over the one connection that is described; without one, over those of logs.

    period: start and end of the events to show. limit: the number of them to show, at most.
    """
    ledger = Ledger()
    cases: Iterable[Case]
    if descriptions:
        cases = [described_case(configuration, descriptions, strict=strict)]
    else:
        from procwire.configurations import decided_cases

        cases = decided_cases(
            configuration, logs, ledger=ledger, strict=strict, limit=limit, since=period[0], until=period[1]
        )
    if to == "json":
        count = _write_json(configuration, cases)
    else:
        count = _write_text(configuration, cases, ",".join(descriptions), verbose=verbose)
    if not descriptions and count == limit:
        sys.stderr.write(f"showed the first {counted(count, 'connection')}; --limit N shows more\n")
    if count == 0:
        complain(_unread(ledger) or f"found no network connection in {', '.join(logs)}")
        return ExitCode.NOTHING_READ
    return ExitCode.DAMAGED if ledger.damaged else ExitCode.ALL_READ


def _unread(ledger: Ledger) -> str:
    return "; ".join(f"{file.name}: {file.error}" for file in ledger.unread)


def _write_text(configuration: Configuration, cases: Iterable[Case], title: str, *, verbose: bool) -> int:
    page = Page()
    count = 0
    for case in cases:
        count += 1
        page.line(title or case.title, strong=True)
        page.listing(story_lines(configuration, case.decision, case.missing, verbose=verbose))
        verdict, *reasons = verdict_lines(configuration, case.decision, case.missing)
        page.line(verdict, strong=True)
        page.lines([*reasons, ""])
    return count


def _write_json(configuration: Configuration, cases: Iterable[Case]) -> int:
    decisions = [case.to_dict() for case in cases]
    sys.stdout.write(json.dumps({"path": configuration.path, "decisions": decisions}, indent=2) + "\n")
    return len(decisions)
