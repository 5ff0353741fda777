"""Whether an element matches by what its operands answer, and which of them it hangs on.

The answers are those of `rules.evaluate`, without its steps: an element that a field without a text stops does not
match, and whether it was stopped or not matters to no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from procwire.rules.model import Element, Relation, Rule

__all__ = ["Answer", "Combiner", "rule_answer"]

Answer = bool | None
"""Of a filter or a Rule; None where a field without a text stops it."""


def rule_answer(relation: Relation, answers: Sequence[Answer]) -> Answer:
    """What a Rule answers when its filters answer so, in their order."""
    going_on = relation == "and"
    for answer in answers:
        if answer is not going_on:
            return answer
    return going_on


class Combiner:
    """How one element combines the answers of its operands."""

    def __init__(self, element: Element) -> None:
        self._is_or = element.relation == "or"
        groups: dict[object, list[int]] = {}
        for number, operand in enumerate(element.operands):
            groups.setdefault(operand.place if isinstance(operand, Rule) else operand.field, []).append(number)
        # In an AND element, filters of one field are alternatives.
        self._groups = list(groups.values())

    def matches(self, answers: Sequence[Answer]) -> bool:
        """Whether the element matches."""
        if self._is_or:
            return next((answer for answer in answers if answer is not False), False) is True
        return bool(answers) and all(any(answers[number] for number in group) for group in self._groups)

    def deciding(self, answers: Sequence[Answer]) -> list[int]:
        """Where it matches: which operands made it, that is, were asked and matched."""
        if self._is_or:
            return [answers.index(True)]
        return [next(number for number in group if answers[number]) for group in self._groups]

    def pivots(self, answers: Sequence[Answer]) -> list[int]:
        """The operands without which the element would match where it does not, or not match where it does."""
        return list(self._or_pivots(answers) if self._is_or else self._and_pivots(answers))

    def _or_pivots(self, answers: Sequence[Answer]) -> Iterator[int]:
        decisive = [number for number, answer in enumerate(answers) if answer is not False]
        after = answers[decisive[1]] if len(decisive) > 1 else None
        if decisive and bool(answers[decisive[0]]) != bool(after):
            yield decisive[0]

    def _and_pivots(self, answers: Sequence[Answer]) -> Iterator[int]:
        unmet = [group for group in self._groups if not any(answers[number] for number in group)]
        if not unmet:
            for group in self._groups:
                matching = [number for number in group if answers[number]]
                # A group of one goes with its only filter; an element of one, too, and then it never matches.
                if len(matching) == 1 and (len(group) > 1 or len(answers) == 1):
                    yield matching[0]
        elif len(unmet) == 1 and len(unmet[0]) == 1 and len(answers) > 1:
            yield unmet[0][0]
