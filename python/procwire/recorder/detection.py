"""Load the Sigma rules of a recording (`--detect`), again at SIGHUP, and report their matches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.errors import UsageError
from procwire.recorder.ledger import DetectionLedger
from procwire.recorder.notices import Notice, warner
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.choices import Level
    from procwire.recorder.ledger import RecordingLedger
    from procwire.recorder.notices import Notify
    from procwire.recorder.outputs import SelectedOutput
    from procwire.recorder.settings import RecordingSettings
    from procwire.sigma import RuleSet
    from procwire.signals import Hangups

__all__ = ["AlertLines", "Alerting", "first_rules"]

# A rule that matches everything must not make the recording wait for a terminal.
_LINES_A_SECOND = 20


def first_rules(
    paths: Sequence[Path], notify: Notify, level: Level | None = None, lists: Mapping[str, Path] | None = None
) -> RuleSet:
    """Return the initial rules, of at least this level, and notify of them. Raises UsageError if none runs."""
    from procwire.sigma import load_usable, summary

    rules = load_usable(paths, level, lists)
    notify(Notice("status", summary(rules, "loaded", level)))
    return rules


class Alerting:
    """Raise alerts; reload the rules at a hangup, in a thread beside the recording.

    Rules that cannot be read change nothing. Alerts are also notices if no output has a place for them, or the settings
    request it.
    """

    def __init__(
        self,
        settings: RecordingSettings,
        rules: RuleSet,
        outputs: Sequence[SelectedOutput],
        ledger: RecordingLedger,
        hangups: Hangups,
        stack: ExitStack,
        notify: Notify,
    ) -> None:
        from procwire.recorder.alerts import Alerts

        self._ledger = ledger.detection = DetectionLedger()
        self._notify = notify
        self._lines = AlertLines(notify)
        tell = self._lines if _wants_lines(settings) else lambda _: None
        self.alerts = Alerts(rules, outputs, self._ledger, tell, warner(notify))
        self._paths, self._level, self._lists = settings.detect, settings.level, settings.lists
        self._asked = hangups.taker()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._coming: Future[RuleSet] | None = None
        stack.callback(self._lines.close)
        stack.callback(self._pool.shutdown, cancel_futures=True)

    def refresh(self) -> None:
        """Start a requested reload, and apply rules that were loaded; called between two batches."""
        self._lines.tick()
        if self._asked():
            self._coming = self._pool.submit(self._load)
        if self._coming is not None and self._coming.done():
            coming, self._coming = self._coming, None
            self._take(coming)

    def _load(self) -> RuleSet:
        from procwire.sigma import load_usable

        rules = load_usable(self._paths, self._level, self._lists)
        # Fewer rules because of missing permissions would be worse than the old ones.
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
            # Whatever a rule raises, the recording continues.
            self._refuse(f"cannot load Sigma rules: {type(error).__name__}: {error}")
        else:
            self._notify(Notice("status", summary(rules, "reloaded", self._level)))

    def _refuse(self, why: str) -> None:
        self._ledger.refused += 1
        self._notify(Notice("warning", f"{why}; the Sigma rules loaded at {self._ledger.loaded_at} stay"))


def _wants_lines(settings: RecordingSettings) -> bool:
    return settings.alert_notices or not any(format_named(target.way).carries_alerts for target in settings.targets)


class AlertLines:
    """Notify of each alert in a line, up to a number per second; count the others."""

    def __init__(self, notify: Notify, now: Callable[[], float] = time.monotonic) -> None:
        self._notify = notify
        self._now = now
        self._second = 0
        self._shown = self._hidden = 0

    def __call__(self, alerts: pa.RecordBatch) -> None:
        """Notify of alerts, of `sigma.SCHEMA`."""
        from procwire.sigma.describe import alert_line

        self.tick()
        shown = alerts.slice(0, _LINES_A_SECOND - self._shown)
        for row in shown.to_pylist():
            self._notify(Notice("alert", alert_line(row)))
        self._shown += shown.num_rows
        self._hidden += alerts.num_rows - shown.num_rows

    def tick(self) -> None:
        """Notify of how many more there were, if the second is over."""
        if self._second != int(self._now()):
            self.close()

    def close(self) -> None:
        """Notify of how many more there were."""
        if self._hidden:
            self._notify(Notice("alert", f"and {self._hidden:,} more alerts"))
        self._second = int(self._now())
        self._shown = self._hidden = 0
