"""The model of a parsed Sysmon configuration: elements of rules, in the document's order.

::

    Configuration
    └── elements: Element         one <NetworkConnect onmatch=""> (or another event's)
        └── operands: Filter | Rule
            └── Rule.filters: Filter
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

__all__ = [
    "NETWORK_CONNECT",
    "Configuration",
    "Element",
    "Filter",
    "Finding",
    "OnMatch",
    "Operand",
    "Place",
    "Relation",
    "Rule",
    "Severity",
]

Relation = Literal["and", "or"]
OnMatch = Literal["include", "exclude"]
Severity = Literal["error", "warning", "note"]

NETWORK_CONNECT = "NetworkConnect"
"""The element of event 3's rules."""


class Place(NamedTuple):
    """Hold a place in the file, as line and column, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Hold an error, a warning or a note about a file, and its place."""

    place: Place
    severity: Severity
    """error: Sysmon refuses it, or reads it differently; warning: legal and likely wrong; note: legal,
    and without effect here."""
    text: str
    """What was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Hold `<Field condition="" name="">value</Field>`: one test of one field."""

    field: str
    """Sysmon's name of the field."""
    condition: str
    """One of `manifest.CONDITIONS`, in lower case."""
    value: str
    """As written: Sysmon trims nothing."""
    name: str
    """RuleName if this filter decides: its own, else its Rule's, else its RuleGroup's; empty for none."""
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold `<Rule groupRelation="" name="">`: filters that together are one operand of their element."""

    relation: Relation
    filters: tuple[Filter, ...]
    name: str
    """Its own; empty for none."""
    place: Place
    relation_is_given: bool = True
    """Whether the file gives it; otherwise it is "or"."""


Operand = Filter | Rule


@dataclass(frozen=True, slots=True)
class Element:
    """Hold `<NetworkConnect onmatch="">`, or another event's: rules that include, or exclude, what matches."""

    event: str
    onmatch: OnMatch
    relation: Relation
    """How its operands combine: its RuleGroup's groupRelation, or the default of the schema's version."""
    relation_is_given: bool
    name: str
    """Its RuleGroup's; empty for none."""
    operands: tuple[Operand, ...]
    place: Place
    group: Place | None = None
    """Where its RuleGroup is; None without one."""

    @property
    def filters(self) -> Iterator[Filter]:
        """Return every filter, in the document's order."""
        for operand in self.operands:
            if isinstance(operand, Rule):
                yield from operand.filters
            else:
                yield operand


@dataclass(frozen=True, slots=True)
class Configuration:
    """Hold a complete configuration file."""

    path: str
    """The path, as shown in findings."""
    schema_version: tuple[int, int]
    """4.9 and 4.90 are (4, 90)."""
    elements: tuple[Element, ...]
    """Every event's, in the document's order."""
    dns_lookup: bool
    """False: host names and port names stay empty."""
    field_sizes: Mapping[str, int]
    """FieldSizes: maps Sysmon's name of a field to the greatest length of its logged text, in characters."""
    findings: tuple[Finding, ...]
    """Errors that lenient reading skipped, and notes about parts without effect here."""

    @property
    def schema(self) -> str:
        """Return the version as Sysmon prints it: 4.90."""
        return f"{self.schema_version[0]}.{self.schema_version[1]:02}"

    @property
    def filter_count(self) -> int:
        """Return the number of filters for event 3."""
        return sum(1 for element in self.network_connect for _ in element.filters)

    @property
    def network_connect(self) -> tuple[Element, ...]:
        """Return the elements for event 3, in the document's order."""
        return tuple(element for element in self.elements if element.event == NETWORK_CONNECT)

    @property
    def evaluation_order(self) -> tuple[Element, ...]:
        """Return the elements in Sysmon's order: excluding ones, then including ones, each from last to first."""
        backwards = self.network_connect[::-1]
        excluding = [element for element in backwards if element.onmatch == "exclude"]
        return tuple(excluding + [element for element in backwards if element.onmatch == "include"])

    @property
    def logs_by_default(self) -> bool:
        """Return whether an event that nothing matches is logged: only with a single element, one that excludes."""
        elements = self.network_connect
        return len(elements) == 1 and elements[0].onmatch == "exclude"
