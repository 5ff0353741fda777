"""Find filters that together never match, or always."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from procwire.sysmon.checks.implication import contradicts, fills
from procwire.sysmon.checks.units import Alternative, filters_by_field, units
from procwire.sysmon.checks.verdicts import outcome
from procwire.sysmon.checks.words import named, shown
from procwire.sysmon.conditions import OPPOSITES
from procwire.sysmon.model import Configuration, Element, Filter, Finding, Rule

__all__ = ["check_logic", "contradictory"]


def check_logic(configuration: Configuration) -> Iterator[Finding]:
    """Find contradictions in event 3's elements; filters that never or always match are reported elsewhere."""
    for element in configuration.network_connect:
        is_reported = False
        for operand in element.operands:
            if isinstance(operand, Rule) and operand.relation == "and":
                if pair := contradictory(operand.filters, configuration):
                    is_reported = True
                    yield _never(operand, pair)
            elif isinstance(operand, Rule):
                yield from _filled(operand.filters, operand, configuration)
        if element.relation == "and" and not is_reported:
            yield from _never_whole(element, configuration)
        direct = [operand for operand in element.operands if isinstance(operand, Filter)]
        yield from _filled(direct, element, configuration)


def contradictory(filters: Alternative, configuration: Configuration) -> tuple[Filter, Filter] | None:
    """Return two of the filters that never match together; None if there are none, or one never matches by itself."""
    for same in filters_by_field(filters).values():
        for one, other in combinations(same, 2):
            decided = outcome(one, configuration) or outcome(other, configuration)
            if contradicts(one, other) and not decided:
                return one, other
    return None


def _never_whole(element: Element, configuration: Configuration) -> Iterator[Finding]:
    for unit in units(element):
        pairs = [contradictory(filters, configuration) for filters in unit.alternatives]
        if pairs and pairs[0] and all(pairs):
            yield _never(element, pairs[0])


def _never(owner: Rule | Element, pair: tuple[Filter, Filter]) -> Finding:
    one, other = pair
    text = (
        f"found {named(owner)} that never matches: {shown(one)} (line {one.place.line}) and {shown(other)} "
        f"(line {other.place.line}) are never both true"
    )
    if one.condition == other.condition == "is":
        text += f"; for either of them write is any '{one.value};{other.value}'"
    return Finding(owner.place, "warning", text)


def _filled(filters: Iterable[Filter], owner: Rule | Element, configuration: Configuration) -> Iterator[Finding]:
    """Return two filters of which one always matches, where one is enough: `is not 80` beside `is not 443`."""
    for same in filters_by_field(filters).values():
        negative = [filter_ for filter_ in same if filter_.condition in OPPOSITES]
        for other in negative:
            one = next((one for one in same if one.place != other.place and fills(one, other)), None)
            if one and not outcome(one, configuration) and not outcome(other, configuration):
                yield _always(owner, *sorted((one, other), key=lambda filter_: filter_.place))
                break


def _always(owner: Rule | Element, one: Filter, other: Filter) -> Finding:
    and_element = isinstance(owner, Element) and owner.relation == "and"
    enough = f"one filter of {other.field} is enough, even under groupRelation and" if and_element else "one is enough"
    everything = f", so everything is {owner.onmatch}d" if isinstance(owner, Element) and not and_element else ""
    text = (
        f"found {shown(other)} beside {shown(one)} in line {one.place.line}: {enough}, and one of them always matches"
        f'{everything}; for both at once put them into a <Rule groupRelation="and">'
    )
    return Finding(other.place, "warning", text)
