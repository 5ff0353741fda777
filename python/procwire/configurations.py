"""Apply Sysmon configurations to logs: measure their rules, and explain what they decide."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from procwire.select import within_period
from procwire.sources import read_batches
from procwire.sysmon.explaining.decisions import Case, logged_cases

if TYPE_CHECKING:
    from datetime import datetime

    from procwire.ledger import Ledger
    from procwire.sources.limits import UnpackLimits
    from procwire.sources.logs import OnProgress
    from procwire.sysmon.measuring.trial import Report
    from procwire.sysmon.model import Configuration

__all__ = ["decided_cases", "measure_logs"]


def measure_logs(
    configuration: Configuration,
    paths: Sequence[str | os.PathLike[str]],
    *,
    ledger: Ledger,
    since: datetime | None = None,
    until: datetime | None = None,
    on_progress: OnProgress | None = None,
    unpack: UnpackLimits | None = None,
) -> Report:
    """Count what each rule of a configuration does with the connections of logs; fill `ledger` with what was read.

    since, until: events from then on, and before then. The other arguments are those of `sources.read_batches`.
    """
    from procwire.sysmon.measuring.figures import measure

    with closing(read_batches(paths, ledger=ledger, on_progress=on_progress, unpack=unpack)) as batches:
        return measure(configuration, within_period(batches, since, until))


def decided_cases(
    configuration: Configuration,
    paths: Sequence[str | os.PathLike[str]],
    *,
    ledger: Ledger,
    strict: bool = False,
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Case]:
    """Yield what a configuration decides over the first `limit` connections of logs; fill `ledger` with what was read.

    strict: with Sysmon's bug of stale rule names. since, until: events from then on, and before then.
    """
    with closing(read_batches(paths, ledger=ledger)) as batches:
        yield from islice(logged_cases(configuration, within_period(batches, since, until), strict=strict), limit)
