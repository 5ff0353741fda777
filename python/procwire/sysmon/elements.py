"""Read elements of a configuration: each event's rules, in every place below `<EventFiltering>`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from procwire.sysmon.document import Node
from procwire.sysmon.findings import Findings, nearest, quoted
from procwire.sysmon.manifest import CONDITIONS, EVENTS, TOKEN_CONDITIONS, Version
from procwire.sysmon.model import NETWORK_CONNECT, Element, Filter, OnMatch, Operand, Relation, Rule

__all__ = ["ElementReader"]

_MAX_NAME_BYTES = 255
_MOST_EMPTY_TOKENS = 16
_MOST_ELEMENTS = 1_000
_LAST_VERSION_OF_OR: Version = (4, 10)
_OTHER_CONDITIONS = {
    "startswith": "begin with", "startwith": "begin with", "notstartswith": "not begin with", "equals": "is",
    "equal": "is", "notequals": "is not", "in": "is any", "isin": "is any", "notcontains": "excludes",
    "doesnotcontain": "excludes", "greaterthan": "more than", "lower": "less than", "notany": "excludes any",
}  # fmt: skip
"""What other languages call conditions, without spaces."""


class ElementReader:
    """Read one or more `<EventFiltering>`.

    version: the schema's version, which decides how operands combine if the file does not say.
    """

    def __init__(self, version: Version, findings: Findings) -> None:
        self._version = version
        self._findings = findings
        self._elements = 0
        self._broken_events: set[str] = set()
        """Events with an element that uses unknown fields: Sysmon reads no later one of them."""

    def read(self, filtering: Node) -> Iterator[Element]:
        """Yield the elements of all events, at any depth, like Sysmon, which selects `/Sysmon/EventFiltering//NAME`."""
        others: dict[str, list[Node]] = {}
        for node, parent in _below(filtering):
            if node.tag in EVENTS:
                if node.tag == NETWORK_CONNECT:
                    self._count(node)
                if node.tag not in self._broken_events and (element := self._element(node, parent)):
                    yield element
                if node.tag != NETWORK_CONNECT:
                    others.setdefault(node.tag, []).append(node)
            elif node.tag.casefold() == "rulegroup":
                self._findings.check_attributes(node, ("name", "groupRelation"))
                self._findings.check_texts(node)
            else:
                names = ("RuleGroup", *EVENTS)
                self._findings.warn(
                    node, f"found <{node.tag}>, expected an event such as <NetworkConnect>{nearest(node.tag, names)}"
                )
        for name, nodes in others.items():
            count = f"{len(nodes)} elements" if len(nodes) > 1 else "1 element"
            self._findings.note(
                nodes[0], f"the rules of {name} ({count}) are not applied: only network connections are"
            )

    def _count(self, node: Node) -> None:
        """Raise an error for too many elements: the checks compare each with all others."""
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            if self._elements == _MOST_ELEMENTS + 1:
                text = f"found more than {_MOST_ELEMENTS:,} <{node.tag}>, expected {_MOST_ELEMENTS:,} at most"
                self._findings.error(node, text)
            self._broken_events.add(node.tag)

    def _element(self, node: Node, parent: Node) -> Element | None:
        self._findings.check_attributes(node, ("onmatch", "default"))
        self._findings.check_texts(node)
        group = parent if parent.tag.casefold() == "rulegroup" else None
        name = group.attributes.get("name", "") if group else ""
        given = self._relation(group) if group else None
        onmatch = self._onmatch(node)
        operands = tuple(self._operands(node, name))
        if not self._fields_exist(node):
            self._broken_events.add(node.tag)
            return None
        if onmatch is None:
            return None
        default: Relation = "or" if self._version <= _LAST_VERSION_OF_OR else "and"
        place = group.place if group else None
        return Element(node.tag, onmatch, given or default, given is not None, name, operands, node.place, place)

    def _relation(self, node: Node) -> Relation | None:
        text = node.attributes.get("groupRelation", "")
        if text.casefold() not in ("", "and", "or"):
            self._findings.error(
                node, f'found groupRelation={quoted(text)}, expected "and" or "or"{nearest(text, ("and", "or"))}'
            )
        if not text:
            return None
        # In Sysmon's code everything that is not "or" is "and".
        return "or" if text.casefold() == "or" else "and"

    def _onmatch(self, node: Node) -> OnMatch | None:
        attributes = node.attributes
        if "onmatch" not in attributes and "default" not in attributes:
            self._findings.error(node, f'found <{node.tag}> without onmatch, expected onmatch="include" or "exclude"')
            return None
        if "onmatch" in attributes and "default" in attributes:
            self._findings.error(node, f"found onmatch and default on <{node.tag}>, expected onmatch only")
            return None
        attribute = "onmatch" if "onmatch" in attributes else "default"
        text = attributes[attribute]
        includes = text.casefold() == "include"
        if not includes and text.casefold() != "exclude":
            known = ("include", "exclude")
            self._findings.error(
                node,
                f"found {attribute}={quoted(text)} on <{node.tag}>, expected include or exclude{nearest(text, known)}",
            )
            # Sysmon takes the event's own default, which is not to log network connections.
            return "include"
        # `default` says what happens to events that nothing matches.
        return "include" if includes == (attribute == "onmatch") else "exclude"

    def _fields_exist(self, node: Node) -> bool:
        """Return whether all fields belong to one of the events that the element stands for."""
        used = [field for operand in node.children for field in (_fields(operand))]
        layouts = EVENTS[node.tag]
        if any(all(field.tag in layout for field in used) for layout in layouts):
            return True
        known = sorted({name for layout in layouts for name in layout})
        unknown = [field for field in used if field.tag not in known]
        for field in unknown:
            if _is_rule(field):
                self._findings.error(field, "found a <Rule> in a <Rule>, expected fields: Sysmon knows one level only")
                continue
            self._findings.error(
                field, f"found field {field.tag!r} in <{node.tag}>, expected one of its own{nearest(field.tag, known)}"
            )
        if not unknown:
            names = ", ".join(sorted({field.tag for field in used}))
            self._findings.error(node, f"found {names} in one <{node.tag}>, expected fields of one of its events only")
        return False

    def _operands(self, node: Node, name: str) -> Iterator[Operand]:
        for child in node.children:
            if _is_rule(child):
                self._findings.check_attributes(child, ("name", "groupRelation"))
                self._findings.check_texts(child)
                own_name = child.attributes.get("name", "")
                filters = tuple(self._filters(child.children, own_name or name))
                relation = self._relation(child)
                if not filters:
                    self._findings.warn(child, "found a <Rule> without fields, which does nothing")
                else:
                    yield Rule(relation or "or", filters, own_name, child.place, relation is not None)
            else:
                yield from self._filters([child], name)

    def _filters(self, nodes: Iterable[Node], inherited: str) -> Iterator[Filter]:
        for node in nodes:
            self._findings.check_attributes(node, ("condition", "name"))
            for child in node.children:
                looks = "takes it for an element of its own" if child.tag in EVENTS else "does not look"
                self._findings.warn(child, f"found <{child.tag}> inside of <{node.tag}>, where Sysmon {looks}")
            if len(node.texts) > 1:
                self._findings.warn(
                    node, f"found a value in {len(node.texts)} pieces, of which Sysmon reads {quoted(node.value)}"
                )
            name = node.attributes.get("name", "") or inherited
            if len(name.encode()) > _MAX_NAME_BYTES:
                self._findings.error(
                    node, f"found a rule name of {len(name.encode())} bytes, expected {_MAX_NAME_BYTES} at most"
                )
            given = node.attributes.get("condition", "")
            condition = given.lower() or "is"
            if condition not in CONDITIONS:
                self._findings.error(
                    node,
                    f"found condition {quoted(given)}, expected one of {', '.join(CONDITIONS)}"
                    f"{_nearest_condition(given)}",
                )
            elif condition in TOKEN_CONDITIONS and node.value.split(";").count("") > _MOST_EMPTY_TOKENS:
                # Each stands for the rest of the value: together they would grow quadratically.
                empty = node.value.split(";").count("")
                self._findings.error(
                    node, f"found {empty:,} empty tokens in a value, expected {_MOST_EMPTY_TOKENS} at most"
                )
            else:
                yield Filter(node.tag, condition, node.value, name, node.place)


def _nearest_condition(given: str) -> str:
    known = _OTHER_CONDITIONS.get(re.sub(r"[\W_]+", "", given.lower()))
    return f"; did you mean {known!r}?" if known else nearest(given, CONDITIONS)


def _below(node: Node) -> Iterator[tuple[Node, Node]]:
    """Yield the nodes below one, with their parents, in the document's order.

    Of those inside of an event's element yield only events: Sysmon finds them even there.
    """
    stack = [(child, node, False) for child in reversed(node.children)]
    while stack:
        node, parent, inside = stack.pop()
        if not inside or node.tag in EVENTS:
            yield node, parent
        inside = inside or node.tag in EVENTS
        stack += [(child, node, inside) for child in reversed(node.children)]


def _is_rule(node: Node) -> bool:
    return node.tag.casefold() == "rule"


def _fields(operand: Node) -> list[Node]:
    return operand.children if _is_rule(operand) else [operand]
