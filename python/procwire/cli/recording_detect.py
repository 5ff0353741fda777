"""The Sigma rules of a recording: `--detect`, loaded at the start, and anew at SIGHUP."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.recording_rules import say
from procwire.errors import UsageError
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.cli.recording_rules import Hangups
    from procwire.cli.request import Level, Request
    from procwire.recorder import RecordingLedger
    from procwire.recorder.outputs import SelectedOutput
    from procwire.sigma import RuleSet

__all__ = ["AlertLines", "Alerting", "first_rules"]

# On stderr: a rule that matches everything must not make the recording wait for a terminal.
_LINES_A_SECOND = 20


def first_rules(paths: Sequence[Path], level: Level | None = None, lists: Mapping[str, Path] | None = None) -> RuleSet:
    """The rules to begin with, of at least this level, told of on stderr. Raises UsageError where none runs."""
    from procwire.sigma import load_usable, summary

    rules = load_usable(paths, level, lists)
    say(summary(rules, "loaded", level))
    return rules


class Alerting:
    """Raises alerts; loads the rules anew when asked, in a thread beside the recording.

    Rules that cannot be read change nothing. stderr has a line for each alert, unless the table on its terminal has.
    """

    def __init__(
        self,
        request: Request,
        rules: RuleSet,
        outputs: Sequence[SelectedOutput],
        ledger: RecordingLedger,
        hangups: Hangups,
        stack: ExitStack,
    ) -> None:
        from procwire.recorder import DetectionLedger
        from procwire.recorder.alerts import Alerts

        self._ledger = ledger.detection = DetectionLedger()
        self._lines = AlertLines()
        tell = self._lines if _wants_lines(request) else lambda _: None
        self.alerts = Alerts(rules, outputs, self._ledger, tell, say)
        self._paths, self._level, self._lists = request.detect, request.level, request.lists
        self._asked = hangups.taker()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._coming: Future[RuleSet] | None = None
        stack.callback(self._lines.close)
        stack.callback(self._pool.shutdown, cancel_futures=True)

    def refresh(self) -> None:
        """Between two batches: begin to load, if that is asked for, and take what is loaded."""
        self._lines.tick()
        if self._asked():
            self._coming = self._pool.submit(self._load)
        if self._coming is not None and self._coming.done():
            coming, self._coming = self._coming, None
            self._take(coming)

    def _load(self) -> RuleSet:
        from procwire.sigma import load_usable

        rules = load_usable(self._paths, self._level, self._lists)
        # Fewer for want of rights is worse than the old ones.
        for problem in rules.problems:
            if problem.kind == "unreadable":
                raise UsageError(f"{problem.path} {problem.reason}")
        return rules

    def _take(self, coming: Future[RuleSet]) -> None:
        from procwire.sigma import summary

        try:
            rules = coming.result()
            self.alerts.take(rules)
        except UsageError as error:
            self._refuse(str(error))
        except Exception as error:
            # Whatever a rule may bring about: the recording goes on.
            self._refuse(f"cannot load Sigma rules: {type(error).__name__}: {error}")
        else:
            say(summary(rules, "reloaded", self._level))

    def _refuse(self, why: str) -> None:
        self._ledger.refused += 1
        say(f"{why}; the Sigma rules loaded at {self._ledger.loaded_at} stay")


def _wants_lines(request: Request) -> bool:
    """On a terminal, where no table shows them; and wherever no output has a place for them."""
    if not any(format_named(target.way).carries_alerts for target in request.targets):
        return True
    shown = any(target.to_stdout and target.way == "table" for target in request.targets) and sys.stdout.isatty()
    return sys.stderr.isatty() and not shown


class AlertLines:
    """A line on stderr for each alert, so many a second; the others are counted."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._second = 0
        self._told = self._untold = 0

    def __call__(self, alerts: pa.RecordBatch) -> None:
        """Tell of alerts, of `sigma.SCHEMA`."""
        from procwire.sigma.describe import alert_line

        self.tick()
        shown = alerts.slice(0, _LINES_A_SECOND - self._told)
        for row in shown.to_pylist():
            say(alert_line(row))
        self._told += shown.num_rows
        self._untold += alerts.num_rows - shown.num_rows

    def tick(self) -> None:
        """A second may be over: tell how many there were beyond those told of."""
        if self._second != int(self._now()):
            self.close()

    def close(self) -> None:
        """Tell of all that there were."""
        if self._untold:
            say(f"and {self._untold:,} more alerts")
        self._second = int(self._now())
        self._told = self._untold = 0
