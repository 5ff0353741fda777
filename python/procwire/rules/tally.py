"""Figures of each rule, added up from events whose filters answer alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from procwire.rules.combining import Answer, Combiner, rule_answer
from procwire.rules.model import Configuration, Element, Place, Rule

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


class Tally:
    """Adds up what a configuration's rules do.

    A rule is left out as if it were not in the file: an element whose last rule it is stays, empty; a `<Rule>` whose
    last filter it is goes with it. Without an element, the default is that of those that stay.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._elements = configuration.evaluation_order
        self._combiners = [Combiner(element) for element in self._elements]
        self._default = configuration.logs_by_default
        self._defaults_without = [self._default_without(element) for element in self._elements]
        self.events = self.logged = self.undecided = 0
        self.figures: dict[Place, Figures] = {}
        for element in self._elements:
            for part in (element, *element.operands, *element.filters):
                self.figures[part.place] = Figures()

    def _default_without(self, element: Element) -> bool:
        kept = tuple(other for other in self._elements if other is not element)
        return replace(self._configuration, elements=kept).logs_by_default

    def add(self, answers: dict[Place, Answer], events: int) -> None:
        """So many events whose filters answer like this; the answers of Rules and elements are added."""
        asked = [self._asked(element, answers) for element in self._elements]
        matching = [combiner.matches(given) for combiner, given in zip(self._combiners, asked, strict=True)]
        answers |= {element.place: matched for element, matched in zip(self._elements, matching, strict=True)}
        for place, answer in answers.items():
            if answer:
                self.figures[place].matched += events
        logged = self._fate(matching, self._default)
        self.events += events
        self.logged += events if logged else 0
        if True in matching:
            first = matching.index(True)
            for place in self._deciding(first, asked[first], answers):
                self.figures[place].decided += events
        else:
            self.undecided += events
        for number in range(len(self._elements)):
            for place in self._pivots(number, asked[number], matching, answers, logged):
                if logged:
                    self.figures[place].fewer_without += events
                else:
                    self.figures[place].more_without += events

    def _asked(self, element: Element, answers: dict[Place, Answer]) -> list[Answer]:
        for rule in element.operands:
            if isinstance(rule, Rule):
                answers[rule.place] = rule_answer(rule.relation, [answers[part.place] for part in rule.filters])
        return [answers[operand.place] for operand in element.operands]

    def _fate(self, matching: Sequence[bool], default: bool) -> bool:
        """Whether an event is logged, by which elements match."""
        return self._elements[matching.index(True)].onmatch == "include" if True in matching else default

    def _deciding(self, number: int, asked: Sequence[Answer], answers: dict[Place, Answer]) -> Iterator[Place]:
        element = self._elements[number]
        yield element.place
        for index in self._combiners[number].deciding(asked):
            operand = element.operands[index]
            yield operand.place
            if isinstance(operand, Rule):
                matching = [filter_.place for filter_ in operand.filters if answers[filter_.place]]
                yield from matching if operand.relation == "and" else matching[:1]

    def _pivots(
        self,
        number: int,
        asked: list[Answer],
        matching: list[bool],
        answers: dict[Place, Answer],
        logged: bool,
    ) -> Iterator[Place]:
        """Of an element and its parts: those without which the event's fate would be the other."""
        element, combiner = self._elements[number], self._combiners[number]
        if self._fate_without(number, matching) != logged:
            yield element.place
        flipped = [*matching[:number], not matching[number], *matching[number + 1 :]]
        if self._fate(flipped, self._default) == logged:
            return
        pivots = combiner.pivots(asked)
        yield from (element.operands[index].place for index in pivots)
        for index, operand in enumerate(element.operands):
            if isinstance(operand, Rule):
                sole = len(operand.filters) == 1
                if sole and index in pivots:
                    yield operand.filters[0].place
                for place, answer in () if sole else _answers_without(operand, answers):
                    if answer != asked[index]:
                        changed = [*asked[:index], answer, *asked[index + 1 :]]
                        if combiner.matches(changed) != matching[number]:
                            yield place

    def _fate_without(self, number: int, matching: list[bool]) -> bool:
        """Whether an event is logged where an element is not in the file."""
        return self._fate([*matching[:number], False, *matching[number + 1 :]], self._defaults_without[number])


def _answers_without(rule: Rule, answers: dict[Place, Answer]) -> Iterator[tuple[Place, Answer]]:
    """What a Rule answers without each of its filters."""
    given = [answers[filter_.place] for filter_ in rule.filters]
    for index, filter_ in enumerate(rule.filters):
        yield filter_.place, rule_answer(rule.relation, given[:index] + given[index + 1 :])
