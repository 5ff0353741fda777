"""What each rule of a configuration does over many connections: how often it matches, decides, and alone decides.

Events are counted by what the filters answer them (see `rules.apply`), and the rules are asked once for each
combination of answers that occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from procwire.rules.apply import FieldClasses, combinations
from procwire.rules.combining import Answer
from procwire.rules.conditions import matches
from procwire.rules.evaluate import NO_NAME
from procwire.rules.forms import NAMES_LOOKED_UP
from procwire.rules.model import Configuration, Filter, Place
from procwire.rules.outcomes import bits_of
from procwire.rules.tally import Figures, Tally

__all__ = ["Figures", "Report", "Trial"]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a whole configuration."""

    configuration: Configuration
    events: int
    logged: int
    undecided: int
    """Events that no element matches."""
    figures: Mapping[Place, Figures]
    """Of every element of NetworkConnect and all in it, by its place in the file."""

    def logged_without(self, place: Place) -> int:
        """How many events would be logged if the element, the `<Rule>` or the filter there were not in the file."""
        figures = self.figures[place]
        return self.logged + figures.more_without - figures.fewer_without


class Trial:
    """Counts batches of events, and reports."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        filters: dict[str, list[tuple[Filter, int]]] = {}
        for filter_, bit in bits_of(configuration):
            filters.setdefault(filter_.field, []).append((filter_, bit))
        unseen = {"RuleName", *(() if configuration.dns_lookup else NAMES_LOOKED_UP)}
        self._constant: dict[Place, Answer] = {
            filter_.place: matches(filter_.condition, filter_.value, NO_NAME)
            for name in unseen & set(filters)
            for filter_, _ in filters[name]
        }
        self._filters = {name: asked for name, asked in filters.items() if name not in unseen}
        self._classes = [FieldClasses(name, asked) for name, asked in self._filters.items()]
        self._counts: Counter[tuple[int, ...]] = Counter()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of `event.SCHEMA` or `event.LIVE_SCHEMA`."""
        if batch.num_rows:
            codes, found = combinations([classes.of(batch) for classes in self._classes], batch.num_rows)
            for counted in pc.value_counts(codes).to_pylist():
                self._counts[found[counted["values"]]] += counted["counts"]

    def report(self) -> Report:
        """The figures of all events counted so far."""
        tally = Tally(self._configuration)
        for combination, events in self._counts.items():
            tally.add(self._answers(combination), events)
        return Report(self._configuration, tally.events, tally.logged, tally.undecided, tally.figures)

    def _answers(self, combination: Sequence[int]) -> dict[Place, Answer]:
        answers = dict(self._constant)
        for filters, classes, number in zip(self._filters.values(), self._classes, combination, strict=True):
            bits = classes.answers[number]
            for filter_, bit in filters:
                answers[filter_.place] = None if bits is None else bits & bit != 0
        return answers
