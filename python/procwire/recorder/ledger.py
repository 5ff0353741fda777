"""Count what a recording captured, filtered, wrote and lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from procwire.sources.live import Hook
from procwire.words import counted

__all__ = ["ConfigurationLedger", "DetectionLedger", "OutputLedger", "RecordingLedger"]


@dataclass(slots=True)
class OutputLedger:
    """Count the rows of one output."""

    name: str
    """Path of the file, or `stdout`, `syslog`."""
    format: str
    written: int = 0
    """Number of rows written, including those that report losses."""
    left_out: int = 0
    """Number of rows of kinds that the format cannot represent."""
    lost: int = 0
    """Number of rows that could not be written."""

    def __str__(self) -> str:
        left_out = f" ({self.left_out:,} that {self.format} has no form for left out)" if self.left_out else ""
        return f"{self.written:,} to {self.name}{left_out}"


@dataclass(slots=True)
class ConfigurationLedger:
    """Describe the configuration whose rules are applied."""

    path: str
    schema: str = ""
    """The schema's version, as in `4.90`."""
    loaded: int = 0
    """How often it was loaded, including at the start."""
    refused: int = 0
    """How often loading it was due to a change or a request, but failed."""
    loaded_at: str = ""
    """When it was last loaded, in UTC."""

    def take(self, schema_version: tuple[int, int]) -> None:
        """Count a configuration that was loaded now."""
        self.schema = "{}.{:02}".format(*schema_version)
        self.loaded += 1
        self.loaded_at = _iso(time.time())

    def __str__(self) -> str:
        refused = f", refused {_times(self.refused)}" if self.refused else ""
        return f"{self.path}, schema {self.schema}, loaded {_times(self.loaded)}{refused}, last at {self.loaded_at}"


@dataclass(slots=True)
class DetectionLedger:
    """Count the Sigma rules that are matched, and their alerts."""

    rules: int = 0
    not_run: int = 0
    """Number of rules that do not run."""
    loaded: int = 0
    """How often they were loaded, including at the start."""
    refused: int = 0
    """How often loading them failed."""
    loaded_at: str = ""
    """When they were last loaded, in UTC."""
    alerts: dict[str, int] = field(default_factory=dict)
    """Number of matches by title of the rule."""
    unmatched: int = 0
    """Number of events that were written but could not be matched."""

    def take(self, rules: int, not_run: int) -> None:
        """Count rules that were loaded now."""
        self.rules, self.not_run = rules, not_run
        self.loaded += 1
        self.loaded_at = _iso(time.time())

    def count(self, titles: Iterable[str]) -> None:
        """Count alerts by the titles of their rules."""
        for title in titles:
            self.alerts[title] = self.alerts.get(title, 0) + 1

    def __str__(self) -> str:
        most_first = sorted(self.alerts.items(), key=lambda item: -item[1])
        counts = "; ".join(f"{count:,} × {title}" for title, count in most_first)
        failed = f" ({self.unmatched:,} events could not be matched)" if self.unmatched else ""
        return f"{sum(self.alerts.values()):,} by {counted(self.rules, 'Sigma rule')}{failed}" + (
            f": {counts}" if counts else ""
        )


@dataclass(slots=True)
class RecordingLedger:
    """Count a complete recording; updated while it runs, final at its end.

    Each captured row is either filtered, or written, left out or lost at every output.
    """

    sensor: str
    fallback_reason: str | None = None
    """Why the eBPF sensor is not used although it was requested; None if it is."""
    hooks: Sequence[Hook] = ()
    start_s: float = field(default_factory=time.time)
    """Unix time."""
    end_s: float | None = None
    captured: Counter[str] = field(default_factory=Counter)
    """Rows by record_kind."""
    filtered: int = 0
    """Number of rows removed by the rules, the predicate or the limit."""
    filtered_by_rules: int = 0
    """Number of these removed by the rules."""
    undecided: int = 0
    """Number of rows kept because the predicate could not be evaluated on them."""
    configuration: ConfigurationLedger | None = None
    """None without `--config`."""
    detection: DetectionLedger | None = None
    """None without `--detect`."""
    outputs: list[OutputLedger] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    """Number of events that the sensor lost, which were not captured, by cause."""
    unattributed: dict[str, int] = field(default_factory=dict)
    """Number of events that were captured without their process, by attribution."""
    warnings: dict[str, int] = field(default_factory=dict)
    """How often each other condition worth reporting occurred."""

    @property
    def events_lost(self) -> int:
        """Return the events lost, for any cause."""
        return sum(self.lost.values())

    def add_losses(self, losses: Mapping[str, int]) -> int:
        """Update from the sensor's counts; return how many events were lost since the last call."""
        before = self.events_lost
        self.lost = {cause: count for cause, count in losses.items() if count}
        return self.events_lost - before

    def add_unattributed(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Update from the sensor's counts; return the new ones since the last call, by attribution."""
        before = self.unattributed
        self.unattributed = {attribution: count for attribution, count in counts.items() if count}
        news = {name: count - before.get(name, 0) for name, count in self.unattributed.items()}
        return {name: count for name, count in news.items() if count}

    @property
    def is_whole(self) -> bool:
        """Return whether no event was lost, no row of an output, and no event's process."""
        return not (self.events_lost or self.rows_lost or self.unattributed)

    @property
    def rows_lost(self) -> int:
        """Return the rows that an output could not write."""
        return sum(output.lost for output in self.outputs)

    def summary(self) -> str:
        """Return the ledger in a line, and one more for each further topic.

        These are: losses, events without their process, rules, alerts, warnings.
        """
        captured = f"captured {self.captured.total():,}"
        if set(self.captured) - {"connection"}:
            kinds = sorted(self.captured.items())
            captured += f" ({', '.join(f'{count:,} {_plural(kind, count)}' for kind, count in kinds)})"
        written = ", ".join(map(str, self.outputs))
        duration = f"{(self.end_s or time.time()) - self.start_s:.1f} s"
        filtered = f"filtered {self.filtered:,}"
        filtered += f" ({self.filtered_by_rules:,} by rules)" if self.filtered_by_rules else ""
        lines = [f"{duration}: {captured}, {filtered}, written {written}, lost {self.events_lost:,}"]
        losses = [f"{count:,} × {cause}" for cause, count in sorted(self.lost.items())]
        losses += [f"{output.lost:,} rows not written to {output.name}" for output in self.outputs if output.lost]
        if losses:
            lines.append("lost: " + "; ".join(losses))
        if self.unattributed:
            reasons = "; ".join(f"{count:,} × {name}" for name, count in sorted(self.unattributed.items()))
            lines.append(f"events without their process: {reasons}")
        if self.configuration is not None:
            lines.append(f"rules: {self.configuration}")
        if self.undecided:
            lines.append(f"--where could not be evaluated on {counted(self.undecided, 'row')}, kept")
        if self.detection is not None:
            lines.append(f"alerts: {self.detection}")
        if self.warnings:
            lines.append("warnings: " + "; ".join(f"{count:,} × {kind}" for kind, count in self.warnings.items()))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as values for JSON."""
        return {
            "sensor": self.sensor,
            "fallback_reason": self.fallback_reason,
            "hooks": [hook._asdict() for hook in self.hooks],
            "start_time": _iso(self.start_s),
            "end_time": None if self.end_s is None else _iso(self.end_s),
            "captured": dict(self.captured),
            "filtered": self.filtered,
            "filtered_by_rules": self.filtered_by_rules,
            "undecided": self.undecided,
            "configuration": None if self.configuration is None else asdict(self.configuration),
            "detection": None if self.detection is None else asdict(self.detection),
            "outputs": [asdict(output) for output in self.outputs],
            "lost": self.lost,
            "unattributed": self.unattributed,
            "warnings": self.warnings,
        }


def _plural(kind: str, count: int) -> str:
    return kind if count == 1 or kind == "existing" else f"{kind}s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _iso(time_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
