"""Evaluate an element from its filters' results: whether it matches, what made it match, and what was decisive.

It combines results like `sysmon.evaluate`, without recording steps: an element that is stopped by a field without a
text does not match, and whether it was stopped does not affect other elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from procwire.sysmon.model import Element, Filter, Place, Relation, Rule

__all__ = ["Answer", "ElementResult"]

Answer = bool | None
"""The result of a filter or a Rule; None if a field without a text stops it."""


class ElementResult:
    """Evaluate one element. answers: results of its filters, by their places."""

    def __init__(self, element: Element, answers: Mapping[Place, Answer]) -> None:
        self.element = element
        self._answers = dict(answers)
        for rule in element.operands:
            if isinstance(rule, Rule):
                self._answers[rule.place] = _rule_answer(rule.relation, self._of_filters(rule))
        self._operands = [self._answers[operand.place] for operand in element.operands]
        self.matches = self._matches(self._operands)

    def matching(self) -> Iterator[Place]:
        """Yield the filters and Rules that match, each by itself."""
        return (place for place, answer in self._answers.items() if answer)

    def deciding(self) -> Iterator[Place]:
        """Yield the filters and Rules that were evaluated and matched, if the element matches."""
        for number in self._first_matching():
            operand = self.element.operands[number]
            yield operand.place
            if isinstance(operand, Rule):
                matching = [filter_.place for filter_ in operand.filters if self._answers[filter_.place]]
                yield from matching if operand.relation == "and" else matching[:1]

    def pivots(self) -> Iterator[Place]:
        """Yield the filters and Rules without which the element's outcome would be the opposite."""
        pivots = set(self._or_pivots() if self.element.relation == "or" else self._and_pivots())
        for number, operand in enumerate(self.element.operands):
            if number in pivots:
                yield operand.place
            if isinstance(operand, Rule):
                yield from self._pivots_within(operand, number, number in pivots)

    def _of_filters(self, rule: Rule) -> list[Answer]:
        return [self._answers[filter_.place] for filter_ in rule.filters]

    def _matches(self, operands: Sequence[Answer]) -> bool:
        if self.element.relation == "or":
            return next((answer for answer in operands if answer is not False), False) is True
        return bool(operands) and all(any(operands[number] for number in group) for group in self._groups())

    def _groups(self) -> list[list[int]]:
        """Return the operands of an AND element by number, grouped: filters of one field are alternatives."""
        groups: dict[object, list[int]] = {}
        for number, operand in enumerate(self.element.operands):
            groups.setdefault(operand.field if isinstance(operand, Filter) else operand.place, []).append(number)
        return list(groups.values())

    def _first_matching(self) -> list[int]:
        if self.element.relation == "or":
            return [self._operands.index(True)]
        return [next(number for number in group if self._operands[number]) for group in self._groups()]

    def _or_pivots(self) -> Iterator[int]:
        decisive = [number for number, answer in enumerate(self._operands) if answer is not False]
        after = self._operands[decisive[1]] if len(decisive) > 1 else None
        if decisive and bool(self._operands[decisive[0]]) != bool(after):
            yield decisive[0]

    def _and_pivots(self) -> Iterator[int]:
        unmet = [group for group in self._groups() if not any(self._operands[number] for number in group)]
        if not unmet:
            for group in self._groups():
                matching = [number for number in group if self._operands[number]]
                # A group vanishes with its only filter; so does an element's only group, which then never matches.
                if len(matching) == 1 and (len(group) > 1 or len(self._operands) == 1):
                    yield matching[0]
        elif len(unmet) == 1 and len(unmet[0]) == 1 and len(self._operands) > 1:
            yield unmet[0][0]

    def _pivots_within(self, rule: Rule, number: int, rule_is_pivot: bool) -> Iterator[Place]:
        """Yield the pivots within a Rule; a Rule whose only filter is omitted vanishes with it."""
        if len(rule.filters) == 1:
            yield from [rule.filters[0].place] if rule_is_pivot else []
            return
        answers = self._of_filters(rule)
        # Only the first filter that settles the Rule's answer can change it.
        going_on = rule.relation == "and"
        index = next((index for index, answer in enumerate(answers) if answer is not going_on), None)
        if index is not None:
            answer = _rule_answer(rule.relation, answers[index + 1 :])
            changed = [*self._operands[:number], answer, *self._operands[number + 1 :]]
            if self._matches(changed) != self.matches:
                yield rule.filters[index].place


def _rule_answer(relation: Relation, answers: Sequence[Answer]) -> Answer:
    """Return the result of a Rule from its filters' results, in their order."""
    going_on = relation == "and"
    return next((answer for answer in answers if answer is not going_on), going_on)
