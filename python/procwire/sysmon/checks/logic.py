"""Find rules that together never match, or always: in a Rule, in an element, and over all elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

from procwire.sysmon.checks.implication import contradicts, implies
from procwire.sysmon.checks.sets import Clause, Literal, failing, holding, operand_failing, refutation
from procwire.sysmon.checks.units import Alternative, filters_by_field
from procwire.sysmon.checks.verdicts import outcome
from procwire.sysmon.checks.words import lines, named, shown
from procwire.sysmon.conditions import OPPOSITES
from procwire.sysmon.model import Configuration, Element, Filter, Finding, Operand, Rule

__all__ = ["check_logic", "contradictory"]

_AND_RULE = 'for both at once put them into a <Rule groupRelation="and">'
_POSITIVE = {"is": "is", "contains": "contains", "contains any": "contains", "contains all": "contains",
             "begin with": "begins with", "end with": "ends with"}  # fmt: skip


def check_logic(configuration: Configuration) -> Iterator[Finding]:
    """Find contradictions and tautologies; filters that by themselves never or always match are reported elsewhere."""
    always: set[str] = set()
    for element in configuration.network_connect:
        found = list(_of_element(element, configuration))
        yield from (finding for finding, _ in found)
        if any(is_always for _, is_always in found):
            always.add(element.onmatch)
    yield from _of_all(configuration, always)


def contradictory(filters: Alternative, configuration: Configuration) -> tuple[Filter, Filter] | None:
    """Return two of the filters that never match together; None if there are none, or one never matches by itself."""
    for same in filters_by_field(filters).values():
        for one, other in combinations(same, 2):
            decided = outcome(one, configuration) or outcome(other, configuration)
            if contradicts(one, other) and not decided:
                return one, other
    return None


def _of_element(element: Element, configuration: Configuration) -> Iterator[tuple[Finding, bool]]:
    """Return what is found in an element, each with whether the entire element therefore always matches."""
    operands = list(_undecided(element.operands, configuration))
    never = False
    whole = element.relation == "or"
    always = False
    for operand in operands:
        if isinstance(operand, Rule) and operand.relation == "and":
            if filters := refutation([(tuple(Literal(one, True) for one in operand.filters),)]):
                never = True
                yield _never(operand, filters), False
        elif isinstance(operand, Rule) and (filters := refutation(operand_failing(operand))):
            always = always or whole
            yield _always(operand, filters, element, whole), whole
        elif isinstance(operand, Rule):
            yield from ((found, False) for found in _nearly(operand.filters, operand))
    if element.relation == "and":
        if not never and (clauses := holding(_with(element, operands))) and (filters := refutation(clauses)):
            yield _never(element, filters), False
        groups = filters_by_field(operands)
        for same in groups.values():
            alone = len(groups) == 1 and len(same) == len(element.operands)
            yield from _of_alternatives(same, element, alone)
    elif not always:
        yield from _of_alternatives(operands, element, True)


def _of_alternatives(operands: Sequence[Operand], element: Element, whole: bool) -> Iterator[tuple[Finding, bool]]:
    """Find what always matches, or nearly, among operands of which one is enough."""
    if len(operands) < 2:
        return
    if filters := refutation([clause for operand in operands for clause in operand_failing(operand)]):
        yield _always(element, filters, element, whole), whole
        return
    direct = [operand for operand in operands if isinstance(operand, Filter)]
    yield from ((found, False) for found in _nearly(direct, element))


def _of_all(configuration: Configuration, always: set[str]) -> Iterator[Finding]:
    """Find elements that only together match everything, and includes that excludes leave nothing of."""
    elements = [
        # One of all that an AND element asks for may be what never matches: it stays.
        element if element.relation == "and" else _with(element, _undecided(element.operands, configuration))
        for element in configuration.network_connect
    ]
    excluding = [element for element in elements if element.onmatch == "exclude" and element.operands]
    including = [element for element in elements if element.onmatch == "include" and element.operands]
    for kind, some in (("exclude", excluding), ("include", including)):
        if kind not in always and len(some) > 1 and (filters := refutation(_failing(some))):
            always.add(kind)
            last = some[-1]
            text = (
                f"found {named(last)}, which together with that of {_lines(some[:-1])} matches everything, so "
                f"everything is {kind}d: {_one_of(filters)}; {_AND_RULE}"
            )
            yield Finding(last.place, "warning", text)
    if "exclude" in always and including:
        text = f"found {named(including[0])}, which never includes anything: everything is excluded"
        yield Finding(including[0].place, "warning", text)


def _failing(elements: Iterable[Element]) -> list[Clause]:
    found = [failing(element) for element in elements]
    return [clause for clauses in found for clause in clauses or ()]


def _with(element: Element, operands: Iterable[Operand]) -> Element:
    return replace(element, operands=tuple(operands))


def _undecided(operands: Iterable[Operand], configuration: Configuration) -> Iterator[Operand]:
    """Return the operands without those that are reported for a filter that by itself never, or always, matches."""
    for operand in operands:
        if isinstance(operand, Rule):
            results = [outcome(filter_, configuration) for filter_ in operand.filters]
            decisive = "never" if operand.relation == "and" else "always"
            if decisive in results:
                continue
            left = tuple(one for one, result in zip(operand.filters, results, strict=True) if result is None)
            if left:
                yield Rule(operand.relation, left, operand.name, operand.place, operand.relation_is_given)
        elif outcome(operand, configuration) is None:
            yield operand


def _never(owner: Rule | Element, filters: Sequence[Filter]) -> Finding:
    text = f"found {named(owner)} that never matches: {_both(filters)} {_never_true(filters)}"
    if all(filter_.condition == "is" for filter_ in filters):
        text += f"; for either of them write is any '{';'.join(filter_.value for filter_ in filters)}'"
    return Finding(owner.place, "warning", text)


def _never_true(filters: Sequence[Filter]) -> str:
    return "are never both true" if len(filters) == 2 else "are never all true" if len(filters) > 2 else "is never true"


def _both(filters: Sequence[Filter]) -> str:
    shown_ = [f"{shown(filter_)} (line {filter_.place.line})" for filter_ in filters]
    return f"{', '.join(shown_[:-1])} and {shown_[-1]}" if len(shown_) > 1 else shown_[0]


def _always(owner: Rule | Element, filters: Sequence[Filter], element: Element, whole: bool) -> Finding:
    *others, last = filters
    everything = f", so everything is {element.onmatch}d" if whole else ""
    if len(filters) == 1:
        text = f"found {shown(last)}, which always matches{everything}"
        return Finding(last.place, "warning", text)
    one = f"{shown(others[0])} in line {others[0].place.line}"
    beside = one if len(others) == 1 else f"what is in {_lines(others)}"
    enough = "one is enough"
    if isinstance(owner, Element) and owner.relation == "and":
        enough = f"one filter of {last.field} is enough, even under groupRelation and"
    text = f"found {shown(last)} beside {beside}: {enough}, and one of them always matches{everything}; {_AND_RULE}"
    return Finding(last.place, "warning", text)


def _one_of(filters: Sequence[Filter]) -> str:
    if len(filters) == 2:
        return f"{_both(filters).replace(' and ', ' or ', 1)} always matches"
    return f"one of the filters in {_lines(filters)} always matches"


def _nearly(filters: Iterable[Filter], owner: Rule | Element) -> Iterator[Finding]:
    """Return a negation beside another of the same field, where one is enough: what fulfils neither is rare."""
    for same in filters_by_field(filters).values():
        negative = [filter_ for filter_ in same if filter_.condition in OPPOSITES]
        for one, other in pairwise(negative):
            if implies(one, other) or implies(other, one):
                continue
            enough = "one is enough"
            if isinstance(owner, Element) and owner.relation == "and":
                enough = f"one filter of {other.field} is enough, even under groupRelation and"
            text = (
                f"found {shown(other)} beside {shown(one)} in line {one.place.line}: {enough}, so only a text that "
                f"{_opposite(one)} and {_opposite(other)} does not match; {_AND_RULE}"
            )
            yield Finding(other.place, "warning", text)
            break


def _opposite(filter_: Filter) -> str:
    condition = OPPOSITES[filter_.condition]
    tokens = {"contains any": "one of ", "contains all": "all of "}.get(condition, "")
    return f"{_POSITIVE[condition]} {tokens}{shown(filter_).partition(f'{filter_.condition} ')[2]}"


def _lines(things: Iterable[Filter | Element]) -> str:
    return lines(thing.place.line for thing in things)
