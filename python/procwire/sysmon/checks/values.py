"""Find values that say something else than they seem to, filter by filter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from procwire.sysmon.checks.traps import (
    image_on_linux,
    is_for_linux,
    numeric,
    part_of_address,
    part_of_number,
    spaced_list,
    variable,
    without_path,
)
from procwire.sysmon.checks.units import filters_by_field
from procwire.sysmon.checks.verdicts import Told, empty_token, empty_value, impossible, why_of, why_of_any
from procwire.sysmon.checks.words import lines
from procwire.sysmon.model import NETWORK_CONNECT, Configuration, Element, Filter, Finding, Operand, Rule

__all__ = ["check_values"]

Check = Callable[[Filter], Told | None]

_MOST_ALIKE = 3


def check_values(configuration: Configuration) -> Iterator[Finding]:
    """Return one finding for a filter at most: the first that its checks make.

    Many of an element for one reason are one.
    """
    of_network, of_any = _checks(configuration)
    for element in configuration.elements:
        checks = of_network if element.event == NETWORK_CONNECT else of_any
        alike: dict[Hashable, list[tuple[Filter, Told]]] = {}
        for operand in element.operands:
            for filter_ in operand.filters if isinstance(operand, Rule) else (operand,):
                if told := next((told for check in checks if (told := check(filter_))), None):
                    told = _with_consequence(told, filter_, operand, element)
                    alike.setdefault(_kind(filter_, told), []).append((filter_, told))
        for told_of in alike.values():
            yield from _findings(told_of)


def _checks(configuration: Configuration) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """Return the checks for event 3's filters, and for other events'."""
    common: tuple[Check, ...] = (empty_value, empty_token, spaced_list, without_path)
    if is_for_linux(configuration):
        common = (image_on_linux, *common)
    why = why_of(configuration)
    traps = (numeric, part_of_number, part_of_address, variable)
    return (*common, lambda filter_: impossible(filter_, why), *traps), (
        *common,
        lambda filter_: impossible(filter_, why_of_any),
    )


def _with_consequence(told: Told, filter_: Filter, operand: Operand, element: Element) -> Told:
    """Add to a finding what else never matches, or matches everything, since this filter does."""
    consequence = ""
    if told.outcome == "always" and operand is filter_ and element.relation == "or":
        consequence = f"so everything is {element.onmatch}d"
    elif told.outcome == "never" and isinstance(operand, Rule):
        consequence = "so its <Rule> never matches" if operand.relation == "and" and len(operand.filters) > 1 else ""
    elif told.outcome == "never" and element.relation == "and" and len(element.operands) > 1:
        same = filters_by_field(element.operands)[filter_.field]
        consequence = "so the entire element never matches" if len(same) == 1 else ""
    return told._replace(text=f"{told.text}; {consequence}") if consequence else told


def _kind(filter_: Filter, told: Told) -> Hashable:
    return (filter_.field, filter_.condition, told.reason.partition(";")[0]) if told.reason else filter_.place


def _findings(told_of: list[tuple[Filter, Told]]) -> Iterator[Finding]:
    if len(told_of) <= _MOST_ALIKE:
        yield from (Finding(filter_.place, told.severity, told.text) for filter_, told in told_of)
        return
    (filter_, told), *others = told_of
    rest = lines(other.place.line for other, _ in others)
    yield Finding(filter_.place, told.severity, f"{told.text}; likewise {len(others)} more, {rest}")
