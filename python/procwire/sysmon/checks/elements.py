"""Check complete elements: what is logged by default, how they combine, and what older Sysmon makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from procwire.sysmon.checks.words import lines, named
from procwire.sysmon.findings import dotted
from procwire.sysmon.manifest import CONDITIONS
from procwire.sysmon.model import Configuration, Element, Filter, Finding, Operand, Place, Rule, Severity

__all__ = ["check_elements"]


_FIRST_PUBLISHED = (4, 81)
"""The schema of Sysmon when its code was published."""


def check_elements(configuration: Configuration) -> Iterator[Finding]:
    """Check event 3's elements, and the conditions of every event's."""
    yield from _nothing_logged(configuration)
    yield from _empty(configuration)
    yield from _both_in_one_group(configuration)
    yield from _relations(configuration)
    yield from _newer_conditions(configuration)


def _nothing_logged(configuration: Configuration) -> Iterator[Finding]:
    elements = configuration.network_connect
    including = [element for element in elements if element.onmatch == "include"]
    if not elements:
        text = "found no <NetworkConnect>, so no network connection is logged: by default Sysmon logs none"
        yield Finding(Place(1, 1), "warning", text)
    elif not including and len(elements) > 1:
        first, second, *_ = elements
        text = (
            f"found {named(second)} beside that of line {first.place.line}, so no network connection is logged: "
            "only one that stands alone logs what it does not match; put the rules into one element"
        )
        yield Finding(second.place, "warning", text)
    elif including and not any(element.operands for element in including):
        text = f"found {named(including[0])} without rules, so no network connection is logged"
        yield Finding(including[0].place, "warning", text)


def _empty(configuration: Configuration) -> Iterator[Finding]:
    elements = configuration.network_connect
    including = any(element.operands for element in elements if element.onmatch == "include")
    for element in elements:
        if not element.operands and including:
            yield Finding(element.place, "note", f"found {named(element)} without rules, which does nothing here")


def _both_in_one_group(configuration: Configuration) -> Iterator[Finding]:
    """Find include and exclude of one RuleGroup: what older Sysmon makes of them is not what today's does."""
    first: dict[Place, Element] = {}
    for element in configuration.network_connect:
        before = first.setdefault(element.group, element) if element.group else element
        if before.onmatch != element.onmatch:
            text = (
                f"found {named(element)} in one <RuleGroup> with that of line {before.place.line}: in Sysmon's "
                f"published code (from schema {dotted(_FIRST_PUBLISHED)} on) both count, exclude first, but users "
                "report that Sysmon 10 (schema 4.21 and 4.22) applies only the include; write a <RuleGroup> for each"
            )
            severity: Severity = "warning" if configuration.schema_version < _FIRST_PUBLISHED else "note"
            yield Finding(element.place, severity, text)


def _relations(configuration: Configuration) -> Iterator[Finding]:
    for element in configuration.network_connect:
        fields = list(dict.fromkeys(map(_subject, element.operands)))
        if not element.relation_is_given and len(fields) > 1:
            yield _default_relation(element, fields, configuration)
        for operand in element.operands:
            if isinstance(operand, Rule) and not operand.relation_is_given and len(operand.filters) > 1:
                text = (
                    "found a <Rule> without groupRelation: Sysmon takes or, though a text of Microsoft's says and; "
                    "write which you mean"
                )
                yield Finding(operand.place, "warning", text)


def _subject(operand: Operand) -> str:
    return operand.field if isinstance(operand, Filter) else "<Rule>"


def _default_relation(element: Element, fields: list[str], configuration: Configuration) -> Finding:
    found = f"found {named(element)} without a <RuleGroup groupRelation>"
    if element.relation == "or":
        text = f"{found}: of {', '.join(fields)} one is enough; from schema 4.20 on it would take all of them"
        return Finding(element.place, "note", text)
    text = (
        f"{found}: under schema {configuration.schema} it matches what matches all of "
        f'{", ".join(fields)}; write <RuleGroup groupRelation="or">, or "and" if that is meant'
    )
    return Finding(element.place, "warning", text)


def _newer_conditions(configuration: Configuration) -> Iterator[Finding]:
    newer: dict[str, list[Filter]] = {}
    for element in configuration.elements:
        for filter_ in element.filters:
            if CONDITIONS[filter_.condition] > configuration.schema_version:
                newer.setdefault(filter_.condition, []).append(filter_)
    for condition, filters in newer.items():
        version = dotted(CONDITIONS[condition])
        text = (
            f"found condition {condition!r} under schema {configuration.schema}: it came with "
            f"{version}, and Sysmon that is older refuses the file; write schemaversion={version!r}"
        )
        if others := filters[1:]:
            text += f"; likewise {len(others)} more, {lines(filter_.place.line for filter_ in others)}"
        yield Finding(filters[0].place, "warning", text)
