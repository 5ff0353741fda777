"""Show a configuration's network rules as readable logic: the elements in Sysmon's order of evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from procwire.sysmon.model import Configuration, Element, Filter, Operand, Rule
from procwire.words import counted

__all__ = [
    "QUANTITY",
    "Line",
    "condition_text",
    "default_text",
    "described",
    "element_lines",
    "element_text",
    "finding_lines",
    "head_lines",
    "markup",
    "operand_text",
    "quoted",
]

_FEWEST_IN_A_RUN = 3
QUANTITY = {"or": "ANY of", "and": "ALL of"}


@dataclass(frozen=True, slots=True)
class Line:
    """Hold a line of a listing."""

    text: str
    number: int | None = None
    """The line of the configuration file that it describes."""
    depth: int = 0
    strong: bool = False


def head_lines(configuration: Configuration) -> Iterator[str]:
    """Yield lines about the file, how it decides, and which options are applied."""
    elements = configuration.evaluation_order
    what = f"{counted(len(elements), 'element')} of NetworkConnect, {counted(configuration.filter_count, 'filter')}"
    yield f"{configuration.path}: Sysmon configuration, schema {configuration.schema}: {what}"
    yield ""
    if elements:
        yield "The first element that matches decides; those that exclude come first, of each kind from last to first."
    for place, element in enumerate(elements, 1):
        fate = "logged" if element.onmatch == "include" else "not logged"
        yield f"  {place}. what matches the {element.onmatch} element of line {element.place.line} is {fate}"
    yield f"  {len(elements) + 1}. {default_text(configuration)}"
    yield ""
    yield from _option_texts(configuration)


def _option_texts(configuration: Configuration) -> Iterator[str]:
    if configuration.dns_lookup:
        yield "DnsLookup is True: host names are looked up."
    else:
        yield "DnsLookup is False: host names and port names stay empty, and rules see - for them."
    for name, size in configuration.field_sizes.items():
        yield f"FieldSizes: {name} is cut to {counted(size, 'character')}, after the rules have seen it in full."


def finding_lines(configuration: Configuration) -> Iterator[Line]:
    """Yield the findings: parts of the file that are not applied, and others."""
    for found in configuration.findings:
        yield Line(f"{found.severity}: {found.text}", found.place.line)


def default_text(configuration: Configuration) -> str:
    """Return what happens to an event that no element matches, and why."""
    elements = configuration.network_connect
    if configuration.logs_by_default:
        return "the rest is logged, without a RuleName: the only element is one that excludes"
    if not elements:
        return "nothing is logged: there is no element of NetworkConnect"
    if len(elements) == 1:
        return "the rest is not logged: the only element is one that includes"
    return "the rest is not logged, as always with two or more elements"


def element_lines(element: Element) -> Iterator[Line]:
    """Yield an element with all its operands; in an AND element, filters of one field are grouped."""
    yield Line(element_text(element), element.place.line, strong=True)
    if element.relation == "or":
        yield from _run_lines(element.operands, element.name, 1)
    else:
        for alternatives in _by_field(element.operands):
            yield from _alternative_lines(alternatives, element.name)


def element_text(element: Element) -> str:
    """Return `include, if ANY of:`, with the element's name if it has one."""
    if not element.operands:
        return f"{element.onmatch}: empty, which never matches"
    origin = "" if element.relation_is_given else ", the default of this schema"
    return f"{element.onmatch}, if {QUANTITY[element.relation]}{origin}{_named(element.name)}:"


def _by_field(operands: Iterable[Operand]) -> list[list[Operand]]:
    groups: dict[object, list[Operand]] = {}
    for operand in operands:
        groups.setdefault(operand.field if isinstance(operand, Filter) else operand.place, []).append(operand)
    return list(groups.values())


def _alternative_lines(alternatives: list[Operand], name: str) -> Iterator[Line]:
    if len(alternatives) == 1:
        yield from _operand_lines(alternatives[0], name, 1)
        return
    yield Line(f"{QUANTITY['or']}, as they are of one field:", depth=1)
    yield from _run_lines(alternatives, name, 2)


def _run_lines(operands: Iterable[Operand], name: str, depth: int) -> Iterator[Line]:
    """Yield operands in order; many with the same field and condition share a heading."""
    for test, same in groupby(
        operands, lambda operand: isinstance(operand, Filter) and (operand.field, operand.condition)
    ):
        run = list(same)
        if test and len(run) >= _FEWEST_IN_A_RUN:
            yield Line(" ".join(test), depth=depth)
            for filter_ in run:
                assert isinstance(filter_, Filter)
                yield Line(quoted(filter_.value) + _named(filter_.name, name), filter_.place.line, depth + 1)
        else:
            for operand in run:
                yield from _operand_lines(operand, name, depth)


def _operand_lines(operand: Operand, name: str, depth: int) -> Iterator[Line]:
    yield Line(operand_text(operand, name), operand.place.line, depth)
    if isinstance(operand, Filter):
        return
    if operand.relation == "or":
        yield from _run_lines(operand.filters, operand.name or name, depth + 1)
    else:
        for filter_ in operand.filters:
            yield from _operand_lines(filter_, operand.name or name, depth + 1)


def operand_text(operand: Operand, inherited: str = "") -> str:
    """Return a filter's condition, or `ANY of:` for a Rule; with its name unless it is the inherited one."""
    named = _named(operand.name, inherited)
    if isinstance(operand, Filter):
        return condition_text(operand) + named
    return f"{QUANTITY[operand.relation]}{'' if operand.relation_is_given else ', the default of a Rule'}{named}:"


def condition_text(filter_: Filter) -> str:
    r"""Return a filter's condition as text: `Image end with "\curl.exe"`."""
    return f"{filter_.field} {filter_.condition} {quoted(filter_.value)}"


def markup(operand: Operand | Element) -> str:
    """Return an operand or an element as markup, without its name and content."""
    if isinstance(operand, Element):
        return f'<NetworkConnect onmatch="{operand.onmatch}">'
    if isinstance(operand, Rule):
        return f'<Rule groupRelation="{operand.relation}">'
    return f'<{operand.field} condition="{operand.condition}">{escape(operand.value)}</{operand.field}>'


def quoted(value: str) -> str:
    """Return the value between quotes, on one line."""
    return '"' + value.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t") + '"'


def _named(name: str, inherited: str = "") -> str:
    """Return the name in brackets, unless it is empty or inherited."""
    return f"   [{name}]" if name and name != inherited else ""


def described(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration as values for JSON, with the elements in order of evaluation."""
    return {
        "path": configuration.path,
        "schema_version": configuration.schema,
        "logs_by_default": configuration.logs_by_default,
        "dns_lookup": configuration.dns_lookup,
        "field_sizes": dict(configuration.field_sizes),
        "elements": [_described(element) for element in configuration.evaluation_order],
        "findings": [
            {"line": found.place.line, "column": found.place.column, "severity": found.severity, "text": found.text}
            for found in configuration.findings
        ],
    }


def _described(part: Element | Operand) -> dict[str, Any]:
    place = {"line": part.place.line, "column": part.place.column}
    if isinstance(part, Filter):
        return {**place, "field": part.field, "condition": part.condition, "value": part.value, "name": part.name}
    if isinstance(part, Rule):
        filters = [_described(filter_) for filter_ in part.filters]
        return {**place, "relation": part.relation, "name": part.name, "filters": filters}
    operands = [_described(operand) for operand in part.operands]
    return {**place, "onmatch": part.onmatch, "relation": part.relation, "name": part.name, "operands": operands}
