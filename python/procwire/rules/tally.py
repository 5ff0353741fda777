"""Figures of each rule, added up from events whose filters answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from procwire.rules.combining import AnsweredElement
from procwire.rules.model import Configuration, Element, Filter, Place
from procwire.rules.outcomes import bits_of

__all__ = ["Figures", "Tally"]


@dataclass(slots=True)
class Figures:
    """What a rule (a filter, a `<Rule>`, or a whole element) did, in events."""

    matched: int = 0
    """That it matches, whatever the others do."""
    decided: int = 0
    """That it decided: the first element that matches does, and what in it was asked and matched."""
    more_without: int = 0
    """That are not logged, and would be if it were not in the file."""
    fewer_without: int = 0
    """That are logged, and would not be if it were not in the file."""

    def add_change(self, logged: bool, events: int) -> None:
        """Without the rule, events that are logged would not be, or the other way round."""
        if logged:
            self.fewer_without += events
        else:
            self.more_without += events


class Tally:
    """Adds up what a configuration's rules do.

    A rule is left out as if it were not in the file: an element whose last rule it is stays, empty; a `<Rule>` whose
    last filter it is goes with it. Without an element, the default is that of those that stay.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._default = configuration.logs_by_default
        self._counters = [_Counter(element, configuration) for element in configuration.evaluation_order]
        self.events = self.logged = self.undecided = 0

    def add(self, answers: int, failed: int, events: int) -> None:
        """So many events whose filters answer like this: the bits (`outcomes.bits_of`) of those that match, and of
        those whose field has no text."""
        answered = [counter.answered(answers, failed) for counter in self._counters]
        matching = [element.matches for element in answered]
        logged = self._fate(matching, self._default)
        self.events += events
        self.logged += logged * events
        self.undecided += events if True not in matching else 0
        for number, (counter, element) in enumerate(zip(self._counters, answered, strict=True)):
            figures = counter.figures[element]
            figures.matched += events
            figures.decided += events if True in matching[: number + 1] and True not in matching[:number] else 0
            before, after = matching[:number], matching[number + 1 :]
            if self._fate([*before, not matching[number], *after], self._default) != logged:
                figures.add_change(logged, events)
            if self._fate([*before, False, *after], counter.default_without) != logged:
                counter.own.add_change(logged, events)

    def _fate(self, matching: Sequence[bool], default: bool) -> bool:
        """Whether an event is logged, by which elements match."""
        return self._counters[matching.index(True)].element.onmatch == "include" if True in matching else default

    def figures(self) -> dict[Place, Figures]:
        """Of every element and all that is in it, by its place in the file."""
        return {place: found for counter in self._counters for place, found in counter.total().items()}


class _Counter:
    """Counts for one element how often it was answered in each way."""

    def __init__(self, element: Element, configuration: Configuration) -> None:
        self.element = element
        kept = tuple(other for other in configuration.network_connect if other is not element)
        self.default_without = replace(configuration, elements=kept).logs_by_default
        self.figures: dict[AnsweredElement, Figures] = {}
        self.own = Figures()
        own = {filter_.place for filter_ in element.filters}
        self._filters: list[tuple[Filter, int]] = [pair for pair in bits_of(configuration) if pair[0].place in own]
        self._mask = sum(bit for _, bit in self._filters)
        self._known: dict[tuple[int, int], AnsweredElement] = {}

    def answered(self, answers: int, failed: int) -> AnsweredElement:
        """The element as it is answered; the same object where it is answered alike."""
        key = answers & self._mask, failed & self._mask
        found = self._known.get(key)
        if found is None:
            own = {filter_.place: None if failed & bit else answers & bit != 0 for filter_, bit in self._filters}
            found = self._known[key] = AnsweredElement(self.element, own)
            self.figures[found] = Figures()
        return found

    def total(self) -> dict[Place, Figures]:
        """The figures of the element and its parts, from all the ways in which it was answered."""
        parts = (self.element, *self.element.operands, *self.element.filters)
        total = {part.place: Figures() for part in parts}
        own = total[self.element.place] = replace(self.own)
        for answered, figures in self.figures.items():
            if answered.matches:
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
