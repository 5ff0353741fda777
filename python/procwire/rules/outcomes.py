"""A configuration's decision, from what each filter answers, as bits: the fast path beside `rules.evaluate`.

A filter's bit is `1 << number`; filters are numbered in the order in which Sysmon asks them, so that the lowest bit of
what matches in an OR element is what decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from procwire.rules.evaluate import NO_NAME
from procwire.rules.model import Configuration, Filter, Operand, Rule

__all__ = ["bits_of", "decider"]

Decide = Callable[[int], str | None]
"""From the bits of an event to the rule's name, `-` without one, None where it is not logged."""
_Asked = tuple[Filter, int]
"""A filter and its bit."""


def bits_of(configuration: Configuration) -> list[_Asked]:
    """Every filter with its bit, in the order of the bits."""
    ordered = (filter_ for element in configuration.evaluation_order for filter_ in element.filters)
    return [(filter_, 1 << number) for number, filter_ in enumerate(ordered)]


def decider(configuration: Configuration) -> Decide:
    """What decides over an event all of whose fields have a text, where no name is left behind (`evaluate.decide`)."""
    asked = iter(bits_of(configuration))
    tests = []
    for element in configuration.evaluation_order:
        operands = [_Operand(operand, asked) for operand in element.operands]
        name_of = _any(operands) if element.relation == "or" else _all(operands)
        tests.append((element.onmatch == "include", name_of))
    otherwise = NO_NAME if configuration.logs_by_default else None

    def decide(answers: int) -> str | None:
        for includes, name_of in tests:
            name = name_of(answers)
            if name is not None:
                return name if includes else None
        return otherwise

    return decide


class _Operand:
    """A filter, or a Rule, with the bits of its filters, which it takes from `asked`."""

    def __init__(self, operand: Operand, asked: Iterator[_Asked]) -> None:
        self.filters = list(islice(asked, len(operand.filters) if isinstance(operand, Rule) else 1))
        self.mask = sum(bit for _, bit in self.filters)
        self.field = None if isinstance(operand, Rule) else operand.field
        self.needs_all = isinstance(operand, Rule) and operand.relation == "and"

    def name(self, answers: int) -> str:
        """What it gives when it matches; empty without one."""
        if self.needs_all:
            return next((filter_.name for filter_, _ in reversed(self.filters) if filter_.name), "")
        return next(filter_.name for filter_, bit in self.filters if answers & bit)


def _any(operands: Sequence[_Operand]) -> Decide:
    """The name that an OR element gives, None where it does not match: its first operand that matches decides."""
    names = {bit: filter_.name or NO_NAME for operand in operands for filter_, bit in operand.filters}
    together = [(operand.mask, operand.name(0) or NO_NAME) for operand in operands if operand.needs_all]
    alone = sum(operand.mask for operand in operands if not operand.needs_all)

    def name_of(answers: int) -> str | None:
        hit = answers & alone
        first = hit & -hit
        for mask, name in together:
            # A Rule stands where its first filter does.
            if first and mask & -mask > first:
                break
            if answers & mask == mask:
                return name
        return names[first] if first else None

    return name_of


def _all(operands: Sequence[_Operand]) -> Decide:
    """The same of an AND element, in which filters of one field are alternatives."""
    needed = sum(operand.mask for operand in operands if operand.needs_all)
    fields: dict[str, int] = {}
    for operand in operands:
        if operand.field is not None:
            fields[operand.field] = fields.get(operand.field, 0) | operand.mask
    rules = [operand.mask for operand in operands if operand.field is None and not operand.needs_all]
    alternatives = [*rules, *fields.values()]

    def name_of(answers: int) -> str | None:
        if not operands or answers & needed != needed or not all(answers & mask for mask in alternatives):
            return None
        return _name_of_all(operands, answers)

    return name_of


def _name_of_all(operands: Sequence[_Operand], answers: int) -> str:
    """The last name of a filter that was asked and has matched: of each field only the first that matches is."""
    name = ""
    matched: set[str] = set()
    for operand in operands:
        if operand.field is None:
            name = operand.name(answers) or name
        elif operand.field not in matched and answers & operand.mask:
            matched.add(operand.field)
            name = operand.name(answers) or name
    return name or NO_NAME
