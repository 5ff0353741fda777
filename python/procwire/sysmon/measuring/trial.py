"""Measure what each rule does over many connections: how often it matches, decides, and alone decides.

Events are grouped by the results of all filters (see `sysmon.config_filter`), and the rules are evaluated once for each
combination of results that occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from procwire.sysmon.config_filter import EventClasses
from procwire.sysmon.measuring.tally import Figures, Tally
from procwire.sysmon.model import Configuration, Place

__all__ = ["Figures", "Report", "Trial"]


@dataclass(frozen=True, slots=True)
class Report:
    """Hold the figures of a complete configuration."""

    configuration: Configuration
    events: int
    logged: int
    undecided: int
    """Number of events that no element matches."""
    figures: Mapping[Place, Figures]
    """Figures of every element of NetworkConnect and its parts, by place in the file."""

    def logged_without(self, place: Place) -> int:
        """Return how many events would be logged without the element, the `<Rule>` or the filter there."""
        figures = self.figures[place]
        return self.logged + figures.more_without - figures.fewer_without


class Trial:
    """Count batches of events, and report what the rules do with them."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._event_classes = EventClasses(configuration)
        self._counts: Counter[tuple[int, ...]] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of `event.SCHEMA` or `event.LIVE_SCHEMA`."""
        if batch.num_rows:
            codes, found = self._event_classes.of(batch)
            for counted in pc.value_counts(codes).to_pylist():
                self._counts[found[counted["values"]]] += counted["counts"]

    def report(self) -> Report:
        """Return the figures of all events counted so far."""
        tally = Tally(self._configuration)
        for combination, events in self._counts.items():
            classes = list(zip(self._event_classes.fields, combination, strict=True))
            hits = {field.field: field.hits[number] for field, number in classes}
            found = self._event_classes.constant.union(*(one for one in hits.values() if one is not None))
            tally.add(found, frozenset(name for name, one in hits.items() if one is None), events)
        return Report(self._configuration, tally.events, tally.logged, tally.undecided, tally.figures())
