"""Add up the figures of each rule, once per group of events with equal results of all filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from procwire.matching.hits import Hits
from procwire.sysmon.decider import fulfils, numbered
from procwire.sysmon.element_result import ElementResult
from procwire.sysmon.model import Configuration, Element, Filter, Place

__all__ = ["Figures", "Tally"]


@dataclass(slots=True)
class Figures:
    """Count the events that a rule (a filter, a `<Rule>`, or an entire element) affects."""

    matched: int = 0
    """Events that it matches, whatever the others do."""
    decided: int = 0
    """Events that it decided: the first matching element decides, with the parts that were evaluated and matched."""
    more_without: int = 0
    """Events that are not logged, but would be if the rule were not in the file."""
    fewer_without: int = 0
    """Events that are logged, but would not be if the rule were not in the file."""

    def add_change(self, logged: bool, events: int) -> None:
        """Count events whose logging would change without the rule. logged: whether they are logged with it."""
        if logged:
            self.fewer_without += events
        else:
            self.more_without += events


class Tally:
    """Add up what a configuration's rules do.

    "Without a rule" means as if it were not in the file: an element that loses its last rule stays, empty; a `<Rule>`
    that loses its last filter vanishes. Without an element, the default is that of the others.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._default = configuration.logs_by_default
        asked = numbered(configuration)
        self._counters = [_Counter(element, configuration, asked) for element in configuration.evaluation_order]
        self.events = self.logged = self.undecided = 0

    def add(self, hits: Hits, failed: frozenset[str], events: int) -> None:
        """Count `events` events with the same hits (`matching.hits`) and the same fields without a text."""
        counted = [counter.counted(hits, failed) for counter in self._counters]
        matching = [matches for matches, _ in counted]
        logged = self._fate(matching, self._default)
        self.events += events
        self.logged += logged * events
        self.undecided += events if True not in matching else 0
        for number, (counter, (matches, figures)) in enumerate(zip(self._counters, counted, strict=True)):
            before, after = matching[:number], matching[number + 1 :]
            figures.matched += events
            figures.decided += events if matches and True not in before else 0
            if self._fate([*before, not matches, *after], self._default) != logged:
                figures.add_change(logged, events)
            if self._fate([*before, False, *after], counter.default_without) != logged:
                counter.own.add_change(logged, events)

    def _fate(self, matching: Sequence[bool], default: bool) -> bool:
        """Return whether an event is logged. matching: whether each element matches."""
        return self._counters[matching.index(True)].element.onmatch == "include" if True in matching else default

    def figures(self) -> dict[Place, Figures]:
        """Return the figures of every element and its parts, by place in the file."""
        return {place: found for counter in self._counters for place, found in counter.total().items()}


class _Counter:
    """Count how often each combination of results of one element's filters occurs.

    asked: an iterator whose next items are the element's filters with their numbers.
    """

    def __init__(self, element: Element, configuration: Configuration, asked: Iterator[tuple[Filter, int]]) -> None:
        self.element = element
        self.own = Figures()
        kept = tuple(other for other in configuration.network_connect if other is not element)
        self.default_without = replace(configuration, elements=kept).logs_by_default
        self._filters = list(islice(asked, sum(1 for _ in element.filters)))
        self._numbers = frozenset(number for _, number in self._filters)
        self._fields = frozenset(filter_.field for filter_, _ in self._filters)
        # Do not store the elements' results themselves: they are large, and there may be many.
        self._counted: dict[tuple[Hits, frozenset[str]], tuple[bool, Figures]] = {}

    def counted(self, hits: Hits, failed: frozenset[str]) -> tuple[bool, Figures]:
        """Return whether the element matches, and the figures to count in, shared by events with equal results."""
        key = hits & self._numbers, failed & self._fields
        if key not in self._counted:
            self._counted[key] = self._answered(*key).matches, Figures()
        return self._counted[key]

    def _answered(self, hits: Hits, failed: frozenset[str]) -> ElementResult:
        own = {
            filter_.place: None if filter_.field in failed else fulfils(hits, filter_, number)
            for filter_, number in self._filters
        }
        return ElementResult(self.element, own)

    def total(self) -> dict[Place, Figures]:
        """Return the figures of the element and its parts."""
        total = {part.place: Figures() for part in (*self.element.operands, *self.element.filters)}
        own = total[self.element.place] = replace(self.own)
        for key, (matches, figures) in self._counted.items():
            answered = self._answered(*key)
            if matches:
                own.matched += figures.matched
                own.decided += figures.decided
            for place in answered.matching():
                total[place].matched += figures.matched
            for place in answered.deciding() if figures.decided else ():
                total[place].decided += figures.decided
            for place in answered.pivots() if figures.more_without or figures.fewer_without else ():
                total[place].more_without += figures.more_without
                total[place].fewer_without += figures.fewer_without
        return total
