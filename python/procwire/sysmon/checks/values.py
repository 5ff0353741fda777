"""Find values that mean something else than they seem to, filter by filter."""

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
from procwire.sysmon.checks.verdicts import FilterVerdict, empty_token, empty_value, impossible, why_of, why_of_any
from procwire.sysmon.checks.words import lines
from procwire.sysmon.model import NETWORK_CONNECT, Configuration, Element, Filter, Finding, Operand, Rule

__all__ = ["check_values"]

Check = Callable[[Filter], FilterVerdict | None]

_MOST_ALIKE = 3


def check_values(configuration: Configuration) -> Iterator[Finding]:
    """Yield at most one finding per filter: the first that its checks return.

    Many findings in an element for the same reason are merged.
    """
    of_network, of_any = _checks(configuration)
    for element in configuration.elements:
        checks = of_network if element.event == NETWORK_CONNECT else of_any
        alike: dict[Hashable, list[tuple[Filter, FilterVerdict]]] = {}
        for operand in element.operands:
            for filter_ in operand.filters if isinstance(operand, Rule) else (operand,):
                if verdict := next((verdict for check in checks if (verdict := check(filter_))), None):
                    verdict = _with_consequence(verdict, filter_, operand, element)
                    alike.setdefault(_kind(filter_, verdict), []).append((filter_, verdict))
        for group in alike.values():
            yield from _findings(group)


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


def _with_consequence(verdict: FilterVerdict, filter_: Filter, operand: Operand, element: Element) -> FilterVerdict:
    """Add to a finding what else never matches, or matches everything, because of this filter."""
    consequence = ""
    if verdict.outcome == "always" and operand is filter_ and element.relation == "or":
        consequence = f"so everything is {element.onmatch}d"
    elif verdict.outcome == "never" and isinstance(operand, Rule):
        consequence = "so its <Rule> never matches" if operand.relation == "and" and len(operand.filters) > 1 else ""
    elif verdict.outcome == "never" and element.relation == "and" and len(element.operands) > 1:
        same = filters_by_field(element.operands)[filter_.field]
        consequence = "so the entire element never matches" if len(same) == 1 else ""
    return verdict._replace(text=f"{verdict.text}; {consequence}") if consequence else verdict


def _kind(filter_: Filter, verdict: FilterVerdict) -> Hashable:
    return (filter_.field, filter_.condition, verdict.reason.partition(";")[0]) if verdict.reason else filter_.place


def _findings(group: list[tuple[Filter, FilterVerdict]]) -> Iterator[Finding]:
    if len(group) <= _MOST_ALIKE:
        yield from (Finding(filter_.place, verdict.severity, verdict.text) for filter_, verdict in group)
        return
    (filter_, verdict), *others = group
    rest = lines(other.place.line for other, _ in others)
    yield Finding(filter_.place, verdict.severity, f"{verdict.text}; likewise {len(others)} more, {rest}")
