"""Represent a Sysmon configuration, as parsed: elements of rules, in the order in which the document has them.

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
    """Hold where something stands in the file, both from 1; a column counts characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Hold what is wrong with a file, or worth knowing, and where."""

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
    """Sysmon's name of it."""
    condition: str
    """One of `manifest.CONDITIONS`, in lower case."""
    value: str
    """As written: Sysmon trims nothing."""
    name: str
    """RuleName where this filter decides: its own, else its Rule's, else its RuleGroup's; empty for none."""
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
    """Without one it is "or"."""


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
    """As findings name it."""
    schema_version: tuple[int, int]
    """4.9 and 4.90 are (4, 90)."""
    elements: tuple[Element, ...]
    """Every event's, in the document's order."""
    dns_lookup: bool
    """False: host names and port names stay empty."""
    field_sizes: Mapping[str, int]
    """FieldSizes: Sysmon's name of a field to the longest text that is written of it, in characters."""
    findings: tuple[Finding, ...]
    """Errors that the lenient reading skipped, and what has no effect here."""

    @property
    def schema(self) -> str:
        """Return the version as Sysmon prints it: 4.90."""
        return f"{self.schema_version[0]}.{self.schema_version[1]:02}"

    @property
    def filter_count(self) -> int:
        """Return the number of filters that decide over event 3."""
        return sum(1 for element in self.network_connect for _ in element.filters)

    @property
    def network_connect(self) -> tuple[Element, ...]:
        """Return the elements that decide over event 3, in the document's order."""
        return tuple(element for element in self.elements if element.event == NETWORK_CONNECT)

    @property
    def evaluation_order(self) -> tuple[Element, ...]:
        """Return the elements as Sysmon asks them: all that exclude first; of either kind the last first."""
        backwards = self.network_connect[::-1]
        excluding = [element for element in backwards if element.onmatch == "exclude"]
        return tuple(excluding + [element for element in backwards if element.onmatch == "include"])

    @property
    def logs_by_default(self) -> bool:
        """Return whether an event that nothing matches is logged: only one sole exclude element says so."""
        elements = self.network_connect
        return len(elements) == 1 and elements[0].onmatch == "exclude"
