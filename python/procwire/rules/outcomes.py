"""A configuration's decision, from what each filter answers, as bits: the fast path beside `rules.evaluate`.

A filter's bit is `1 << number`; filters are numbered in the order in which Sysmon asks them, so that the lowest bit of
what matches in an OR element is what decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from procwire.rules.evaluate import NO_NAME
from procwire.rules.model import Configuration, Element, Filter, Rule

__all__ = ["bits_of", "decider"]

Decide = Callable[[int], str | None]
"""From the bits of an event to the rule's name, `-` without one, None where it is not logged."""
_Bits = dict[int, int]
"""Identity of a filter to its bit: equal filters may stand in several places."""


def bits_of(configuration: Configuration) -> list[tuple[Filter, int]]:
    """Every filter with its bit, in the order of the bits."""
    ordered = (filter_ for element in configuration.evaluation_order for filter_ in element.filters)
    return [(filter_, 1 << number) for number, filter_ in enumerate(ordered)]


def decider(configuration: Configuration) -> Decide:
    """What decides over an event all of whose fields have a text, where no name is left behind (`evaluate.decide`)."""
    bits = {id(filter_): bit for filter_, bit in bits_of(configuration)}
    tests = [
        (element.onmatch == "include", _any(element, bits) if element.relation == "or" else _all(element, bits))
        for element in configuration.evaluation_order
    ]
    otherwise = NO_NAME if configuration.logs_by_default else None

    def decide(answers: int) -> str | None:
        for includes, name_of in tests:
            name = name_of(answers)
            if name is not None:
                return name if includes else None
        return otherwise

    return decide


def _any(element: Element, bits: _Bits) -> Decide:
    """The name that an OR element gives, None where it does not match: its first operand that matches decides."""
    names = {bits[id(filter_)]: filter_.name or NO_NAME for filter_ in element.filters}
    together = []
    alone = 0
    for operand in element.operands:
        mask = _mask(operand.filters if isinstance(operand, Rule) else [operand], bits)
        if isinstance(operand, Rule) and operand.relation == "and":
            together.append((mask, _last_name(operand) or NO_NAME))
        else:
            alone |= mask

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


def _all(element: Element, bits: _Bits) -> Decide:
    """The same of an AND element, in which filters of one field are alternatives."""
    fields: dict[str, int] = {}
    needed = 0
    alternatives = []
    for operand in element.operands:
        if isinstance(operand, Filter):
            fields[operand.field] = fields.get(operand.field, 0) | bits[id(operand)]
        elif operand.relation == "and":
            needed |= _mask(operand.filters, bits)
        else:
            alternatives.append(_mask(operand.filters, bits))
    alternatives += fields.values()

    def name_of(answers: int) -> str | None:
        if not element.operands or answers & needed != needed:
            return None
        if not all(answers & mask for mask in alternatives):
            return None
        return _name_of_all(element, answers, bits)

    return name_of


def _name_of_all(element: Element, answers: int, bits: _Bits) -> str:
    """The last name of a filter that was asked and has matched: of each field only the first that matches is."""
    name = ""
    matched: set[str] = set()
    for operand in element.operands:
        if isinstance(operand, Rule):
            if operand.relation == "and":
                name = _last_name(operand) or name
            else:
                name = next(filter_.name for filter_ in operand.filters if answers & bits[id(filter_)]) or name
        elif operand.field not in matched and answers & bits[id(operand)]:
            matched.add(operand.field)
            name = operand.name or name
    return name or NO_NAME


def _mask(filters: Iterable[Filter], bits: _Bits) -> int:
    mask = 0
    for filter_ in filters:
        mask |= bits[id(filter_)]
    return mask


def _last_name(rule: Rule) -> str:
    return next((filter_.name for filter_ in reversed(rule.filters) if filter_.name), "")
