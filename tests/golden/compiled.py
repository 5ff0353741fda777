"""Reads what Sysmon makes of a configuration: its compiled rules, and the printout that `sysmon -c` gives of them.

The layout of the compiled form is that of RULE_REG_EXT, RULE_EVENT, RULE_FILTER and RULE_AGGREGATION in
microsoft/SysmonCommon, manifest.tt: offsets count from the blob's beginning, 0 ends a chain.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from procwire.sysmon.manifest import CONDITIONS, EVENTS
from procwire.sysmon.model import Element, Filter

# In the order in which they came, from binary version 14 on: `not ...` came with the next, at the end.
_CONDITIONS = [
    *(name for name in CONDITIONS if name not in ("not begin with", "not end with")),
    "not begin with",
    "not end with",
]
# Events 4 and 16 have no rules; those up to 26 are numbered in the order of their names in the manifest.
_EVENT_IDS = {
    number: name
    for name, numbers in zip(
        EVENTS,
        ((1,), (2,), (3,), (5,), (6,), (7,), (8,), (9,), (10,), (11,), (12, 13, 14), (15,), (17, 18), (19, 20, 21),
         (22,), (23,), (24,), (25,), (26,)),
        strict=False,
    )
    for number in numbers
}  # fmt: skip
_FILTER = struct.Struct("<I512sIIIII")
_NAME_IN_PRINTOUT = 32

Group = tuple[int, str, str] | None
"""A Rule: which one of the file, from 1, its relation and its name; None outside of one."""


@dataclass(frozen=True)
class CompiledFilter:
    """A filter, as either form states it."""

    field: str
    condition: str
    value: str
    name: str
    group: Group


@dataclass(frozen=True)
class CompiledElement:
    """An element, as either form states it."""

    event: str
    onmatch: str
    relation: str
    filters: tuple[CompiledFilter, ...]


def ordered(elements: tuple[Element, ...]) -> list[CompiledElement]:
    """What we have parsed, in the order and with the numbers that Sysmon's loader gives: event by event."""
    number = 0
    reported = []
    for event in EVENTS:
        for element in elements:
            if element.event == event:
                filters: list[CompiledFilter] = []
                number += _wasted_numbers(element)
                for operand in element.operands:
                    if isinstance(operand, Filter):
                        filters.append(_reported(operand, None))
                    else:
                        number += 1
                        filters += (
                            _reported(inner, (number, operand.relation, operand.name)) for inner in operand.filters
                        )
                reported.append(CompiledElement(event, element.onmatch, element.relation, tuple(filters)))
    return reported


def _wasted_numbers(element: Element) -> int:
    """Rules that Sysmon has numbered in vain: of events with one name it tries one after the other, until a field is
    none of the event's."""
    wasted = 0
    for layout in EVENTS[element.event]:
        tried = 0
        for operand in element.operands:
            filters = (operand,) if isinstance(operand, Filter) else operand.filters
            tried += not isinstance(operand, Filter)
            if any(filter_.field not in layout for filter_ in filters):
                break
        else:
            return wasted
        wasted += tried
    raise AssertionError(f"no event of {element.event} has all the fields of the one in line {element.place.line}")


def _reported(filter_: Filter, group: Group) -> CompiledFilter:
    return CompiledFilter(filter_.field, filter_.condition, filter_.value, filter_.name, group)


def decode(blob: bytes) -> list[CompiledElement]:
    """The elements of a compiled configuration."""
    _, count, _, _, offset, _ = struct.unpack_from("<6I", blob)
    elements = []
    while offset:
        event_id, default, combine, next_offset, filter_count, first = struct.unpack_from("<6I", blob, offset)
        filters = tuple(_filters(blob, event_id, first if filter_count else 0))
        assert len(filters) == filter_count
        # The default is what happens where nothing matches.
        elements.append(
            CompiledElement(_EVENT_IDS[event_id], ("exclude", "include")[default], ("or", "and")[combine], filters)
        )
        offset = next_offset
    assert len(elements) == count
    return elements


def _filters(blob: bytes, event_id: int, offset: int) -> Iterator[CompiledFilter]:
    layout = _layout(event_id)
    while offset:
        field, name, condition, next_offset, size, group, group_offset = _FILTER.unpack_from(blob, offset)
        data = offset + _FILTER.size
        value = blob[data : data + size].decode("utf-16-le")
        assert value.endswith("\0")
        yield CompiledFilter(
            layout[field], _CONDITIONS[condition], value[:-1], _text(name), _group(blob, group, group_offset)
        )
        offset = next_offset


def _layout(event_id: int) -> tuple[str, ...]:
    """The fields of an event; several events have one name, with fields of their own or the same."""
    name = _EVENT_IDS[event_id]
    layouts = EVENTS[name]
    place = [number for number, other in _EVENT_IDS.items() if other == name].index(event_id)
    return layouts[min(place, len(layouts) - 1)]


def _group(blob: bytes, number: int, offset: int) -> Group:
    if not number:
        return None
    name, _, found, _, _, _, combine = struct.unpack_from("<256s8s5I", blob, offset)
    assert found == number
    return number, ("or", "and")[combine], _text(name)


def _text(field: bytes) -> str:
    return field.decode("utf-16-le").partition("\0")[0]


def printed(elements: list[CompiledElement]) -> list[str]:
    """The printout that Sysmon makes of elements; one that follows another of its event and kind is left out."""
    lines = []
    last: tuple[str, str] | None = None
    for element in elements:
        if (element.event, element.onmatch) == last:
            continue
        last = element.event, element.onmatch
        lines.append(
            f" - {element.event:<34} onmatch: {element.onmatch}   combine rules using '{element.relation.title()}'"
        )
        group: Group = None
        for reported in element.filters:
            if reported.group and reported.group != group:
                number, relation, name = group = reported.group
                short = name.encode()[:_NAME_IN_PRINTOUT].decode() or f"{number:04}"
                lines.append(f"\tCompound Rule {short}   combine using {relation.title()}")
            indent = "    " if reported.group else ""
            lines.append(f"\t{indent}{reported.field:<30} filter: {reported.condition:<12} value: '{reported.value}'")
    return lines
