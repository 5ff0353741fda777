"""How a configuration decides over single connections: those of a log, or one that the user describes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode, complain
from procwire.cli.page import Page
from procwire.ledger import Ledger
from procwire.rules.evaluate import decide
from procwire.rules.forms import COLUMNS, NAMES_LOOKED_UP, sysmon_texts
from procwire.rules.given import given_texts
from procwire.rules.story import story_lines, told, verdict_lines
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.rules.model import Configuration

__all__ = ["tell_decisions"]


@dataclass(frozen=True, slots=True)
class _Case:
    """A connection to decide over."""

    title: str
    texts: dict[str, str | None]
    missing: frozenset[str]
    """Fields that nobody told of; they are seen as `-`."""


def tell_decisions(
    configuration: Configuration,
    *,
    log: str | None,
    given: list[str],
    limit: int,
    to: str,
    strict: bool,
    verbose: bool,
) -> ExitCode:
    """Explain the decision over the one connection that `given` describes; without it, over those of a log.

    limit: of the log, so many connections at most.
    """
    ledger = Ledger()
    cases = _given(configuration, given) if given else _logged(configuration, log or "", limit, ledger)
    write = _json if to == "json" else _text
    count = write(configuration, cases, strict=strict, verbose=verbose)
    if not given and count == limit:
        sys.stderr.write(f"showed the first {counted(count, 'connection')}; --limit N shows more\n")
    if count == 0:
        complain(_unread(ledger) or f"found no network connection in {log}")
        return ExitCode.NOTHING_READ
    return ExitCode.DAMAGED if ledger.damaged else ExitCode.ALL_READ


def _unread(ledger: Ledger) -> str:
    return "; ".join(f"{file.name}: {file.error}" for file in ledger.unread)


def _given(configuration: Configuration, given: list[str]) -> Iterator[_Case]:
    texts = given_texts(*given)
    # Sysmon's form of what is missing, for numbers too: without a text they would end every element that asks.
    unseen = set() if configuration.dns_lookup else set(NAMES_LOOKED_UP)
    seen: dict[str, str | None] = {name: "-" if name in unseen else texts.get(name, "-") for name in COLUMNS}
    missing = frozenset(COLUMNS) - set(texts) - {"RuleName"} - unseen
    yield _Case(",".join(given), seen, missing)


def _logged(configuration: Configuration, log: str, limit: int, ledger: Ledger) -> Iterator[_Case]:
    from procwire.sources import read_batches

    batches = read_batches([log], ledger=ledger)
    rows = (row for batch in batches for row in batch.to_pylist())
    for row in islice(rows, limit):
        texts = sysmon_texts(row, dns_lookup=configuration.dns_lookup)
        yield _Case(_title(texts), texts, frozenset())


def _title(texts: dict[str, str | None]) -> str:
    shown = {name: text or "-" for name, text in texts.items()}
    return (
        "{UtcTime}  {Image} ({ProcessId})  {Protocol}  {SourceIp} port {SourcePort} to {DestinationIp} port "
        "{DestinationPort}".format_map(shown)
    )


def _text(configuration: Configuration, cases: Iterator[_Case], *, strict: bool, verbose: bool) -> int:
    page = Page()
    count = 0
    for case in cases:
        count += 1
        decision = decide(configuration, case.texts, strict=strict)
        page.line(case.title, strong=True)
        page.listing(story_lines(configuration, decision, case.missing, verbose=verbose))
        verdict, *reasons = verdict_lines(configuration, decision, case.missing)
        page.line(verdict, strong=True)
        page.lines([*reasons, ""])
    return count


def _json(configuration: Configuration, cases: Iterator[_Case], *, strict: bool, verbose: bool) -> int:
    del verbose  # Every step is told anyway.
    decisions = []
    for case in cases:
        decision = decide(configuration, case.texts, strict=strict)
        decisions.append({"event": case.texts, "not_given": sorted(case.missing), **told(decision, case.missing)})
    sys.stdout.write(json.dumps({"path": configuration.path, "decisions": decisions}, indent=2) + "\n")
    return len(decisions)
