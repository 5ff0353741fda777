"""From a file to a `Configuration`: what Sysmon's own loader does (microsoft/SysmonCommon, xml.cpp), and where it would
print an error, or silently read less than is written, a finding."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from procwire.errors import ConfigurationError, UsageError
from procwire.rules.document import DocumentError, Node, parse_document
from procwire.rules.forms import SIZED
from procwire.rules.manifest import CONDITIONS, EVENTS, OLDEST_SCHEMA, OPTIONS, Version
from procwire.rules.model import (
    NETWORK_CONNECT,
    Configuration,
    Element,
    Filter,
    Finding,
    OnMatch,
    Operand,
    Relation,
    Rule,
    Severity,
)

__all__ = ["load", "parse"]

_MAX_NAME_BYTES = 255
_LAST_VERSION_OF_OR: Version = (4, 10)
_FALSE, _TRUE = ("false", "0", "disabled", "no"), ("true", "1", "enabled", "yes")


def load(path: str | os.PathLike[str], *, lenient: bool = False) -> Configuration:
    """The configuration in a file.

    lenient: reads on where Sysmon refuses or skips something, and keeps the errors as findings: older schemas are
    taken, an unknown condition drops its filter, an element without a usable onmatch is dropped, an unknown field
    drops its element and all later ones of that event.

    Raises UsageError for a file that cannot be read, ConfigurationError, with every error and its place, for one with
    errors; lenient, only for what is no configuration at all.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return parse(data, os.fspath(path), lenient=lenient)


def parse(data: bytes, path: str = "configuration", *, lenient: bool = False) -> Configuration:
    """The configuration in a file's bytes; `path` is what findings call it. Arguments and errors as for `load`."""
    try:
        root = parse_document(data)
    except DocumentError as error:
        raise ConfigurationError(path, [Finding(error.place, "error", error.text)]) from error
    configuration = _Parser(path, lenient).configuration(root)
    if not lenient and (errors := [found for found in configuration.findings if found.severity == "error"]):
        raise ConfigurationError(path, errors)
    return configuration


def nearest(found: str, known: Iterable[str]) -> str:
    """`; did you mean 'contains any'?`, or nothing where no known name comes near."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(found.strip().casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""


class _Parser:
    def __init__(self, path: str, lenient: bool) -> None:
        self._path = path
        self._lenient = lenient
        self._findings: list[Finding] = []
        self._version: Version = max(CONDITIONS.values())
        self._dns_lookup = True
        self._field_sizes: dict[str, int] = {}
        self._broken_events: set[str] = set()

    def configuration(self, root: Node) -> Configuration:
        elements: list[Element] = []
        if root.tag == "Sysmon":
            self._check_attributes(root, ("schemaversion",))
            self._version = self._schema_version(root)
            self._options(root)
            for child in root.children:
                if child.tag == "EventFiltering":
                    elements += self._elements(child)
        elif self._lenient and root.tag in ("EventFiltering", "RuleGroup", *EVENTS):
            self._warn(
                root, f"found a fragment, <{root.tag}> without <Sysmon>: read as of schema {_dotted(self._version)}"
            )
            elements += self._elements(Node("EventFiltering", {}, root.place, [root]))
        else:
            text = f'found <{root.tag}>, expected <Sysmon schemaversion="4.90">'
            raise ConfigurationError(self._path, [Finding(root.place, "error", text)])
        return Configuration(
            path=self._path,
            schema_version=self._version,
            elements=tuple(elements),
            dns_lookup=self._dns_lookup,
            field_sizes=self._field_sizes,
            findings=tuple(sorted(self._findings)),
        )

    # Findings

    def _find(self, node: Node, severity: Severity, text: str) -> None:
        self._findings.append(Finding(node.place, severity, text))

    def _error(self, node: Node, text: str) -> None:
        self._find(node, "error", text)

    def _warn(self, node: Node, text: str) -> None:
        self._find(node, "warning", text)

    def _note(self, node: Node, text: str) -> None:
        self._find(node, "note", text)

    def _check_attributes(self, node: Node, known: tuple[str, ...]) -> None:
        for name in node.attributes:
            if name not in known:
                self._warn(
                    node,
                    f"found attribute {name!r} of <{node.tag}>, which Sysmon does not look at{nearest(name, known)}",
                )

    def _check_texts(self, node: Node) -> None:
        """Text beside the children of an element that only has children."""
        if node.texts:
            self._warn(node, f"found text in <{node.tag}>, {_short(node.value.strip())}, which Sysmon does not look at")

    # Version and options

    def _schema_version(self, root: Node) -> Version:
        text = root.attributes.get("schemaversion", "")
        number = re.match(r"\s*\+?(\d+(?:\.\d*)?|\.\d+)", text)
        if number is None or float(number[1]) < 1 or float(number[1]) >= 1 << 16:
            found = f"schemaversion {text!r}" if text else "no schemaversion"
            self._error(root, f'found {found}, expected a number such as "4.90"')
            return self._version
        if number.end() < len(text):
            self._warn(root, f"found schemaversion {text!r}, of which Sysmon reads {number[1]}")
        # As Sysmon prints it, "%.2f": 4.1 is 4.10, 4.9 is 4.90.
        major, minor = f"{float(number[1]):.2f}".split(".")
        version = (int(major), int(minor))
        if version < OLDEST_SCHEMA:
            self._error(root, f"found schemaversion {text}, expected 4.0 or later: Sysmon refuses older ones")
        return version

    def _options(self, root: Node) -> None:
        stopped_at: str | None = None
        for node in root.children:
            if node.tag == "EventFiltering":
                continue
            if stopped_at is not None:
                self._warn(node, f"<{node.tag}> is not read: Sysmon stops reading options at <{stopped_at}>")
            elif node.tag.removesuffix("Config") not in OPTIONS:
                stopped_at = node.tag
                if node.tag in EVENTS or node.tag == "RuleGroup":
                    self._warn(
                        node, f"found <{node.tag}> outside of <EventFiltering>, where Sysmon does not look for rules"
                    )
                else:
                    names = ("EventFiltering", *OPTIONS)
                    self._warn(node, f"found option <{node.tag}>, which Sysmon does not know{nearest(node.tag, names)}")
            else:
                self._option(node)

    def _option(self, node: Node) -> None:
        name = node.tag.removesuffix("Config")
        if self._version < OPTIONS[name]:
            self._warn(node, f"option {name} came with schema {_dotted(OPTIONS[name])}: older Sysmon does not know it")
        if name == "DnsLookup":
            self._dns_lookup = self._flag(node)
        elif name == "FieldSizes":
            self._field_sizes = self._sizes(node)
        elif name == NETWORK_CONNECT:
            self._note(node, "option NetworkConnect (-n PROCESS,...) is not applied from a file: give -n, or use rules")
        else:
            self._note(node, f"option {name} is not applied: it has nothing to do with network connections")

    def _flag(self, node: Node) -> bool:
        if node.value.casefold() in _FALSE:
            return False
        if node.value.casefold() not in _TRUE:
            self._error(node, f"found {_short(node.value)} in <{node.tag}>, expected True or False")
        return True

    def _sizes(self, node: Node) -> dict[str, int]:
        sizes = {}
        known = {name for layouts in EVENTS.values() for layout in layouts for name in layout}
        for part in node.value.split(",") if node.value else []:
            name, colon, number = part.partition(":")
            if not colon or not re.fullmatch(r"[1-9]\d{0,5}", number):
                self._error(node, f"found {_short(part)} in <FieldSizes>, expected Field:N with N from 1 on")
            elif name not in known:
                self._error(node, f"found field {name!r} in <FieldSizes>, which no event has{nearest(name, known)}")
            elif name in SIZED:
                sizes[name] = int(number)
            else:
                self._note(node, f"the size of {name} is not applied: it is no text of event 3")
        return sizes

    # Elements

    def _elements(self, filtering: Node) -> Iterator[Element]:
        """Every event's element, at whatever depth: Sysmon looks for `/Sysmon/EventFiltering//NAME`."""
        others: dict[str, list[Node]] = {}
        for node, parent in _below(filtering):
            if node.tag in EVENTS:
                if node.tag not in self._broken_events and (element := self._element(node, parent)):
                    yield element
                if node.tag != NETWORK_CONNECT:
                    others.setdefault(node.tag, []).append(node)
            elif node.tag.casefold() == "rulegroup":
                self._check_attributes(node, ("name", "groupRelation"))
                self._check_texts(node)
            else:
                names = ("RuleGroup", *EVENTS)
                self._warn(
                    node, f"found <{node.tag}>, expected an event such as <NetworkConnect>{nearest(node.tag, names)}"
                )
        for name, nodes in others.items():
            count = f"{len(nodes)} elements" if len(nodes) > 1 else "1 element"
            self._note(nodes[0], f"the rules of {name} ({count}) are not applied: only network connections are")

    def _element(self, node: Node, parent: Node) -> Element | None:
        self._check_attributes(node, ("onmatch", "default"))
        self._check_texts(node)
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
        return Element(node.tag, onmatch, given or default, given is not None, name, operands, node.place)

    def _relation(self, node: Node) -> Relation | None:
        text = node.attributes.get("groupRelation", "")
        if text.casefold() not in ("", "and", "or"):
            self._error(
                node, f'found groupRelation={_short(text)}, expected "and" or "or"{nearest(text, ("and", "or"))}'
            )
        if not text:
            return None
        # Whatever is not "or" is "and", in Sysmon's code.
        return "or" if text.casefold() == "or" else "and"

    def _onmatch(self, node: Node) -> OnMatch | None:
        attributes = node.attributes
        if "onmatch" not in attributes and "default" not in attributes:
            self._error(node, f'found <{node.tag}> without onmatch, expected onmatch="include" or "exclude"')
            return None
        if "onmatch" in attributes and "default" in attributes:
            self._error(node, f"found onmatch and default on <{node.tag}>, expected onmatch only")
            return None
        attribute = "onmatch" if "onmatch" in attributes else "default"
        text = attributes[attribute]
        includes = text.casefold() == "include"
        if not includes and text.casefold() != "exclude":
            known = ("include", "exclude")
            self._error(
                node,
                f"found {attribute}={_short(text)} on <{node.tag}>, expected include or exclude{nearest(text, known)}",
            )
            # Sysmon takes the event's own default, which is not to log network connections.
            return "include"
        # `default` says what happens to events that nothing matches.
        return "include" if includes == (attribute == "onmatch") else "exclude"

    def _fields_exist(self, node: Node) -> bool:
        """Whether all the fields are of one event that the element stands for."""
        used = [field for operand in node.children for field in (_fields(operand))]
        layouts = EVENTS[node.tag]
        if any(all(field.tag in layout for field in used) for layout in layouts):
            return True
        known = sorted({name for layout in layouts for name in layout})
        unknown = [field for field in used if field.tag not in known]
        for field in unknown:
            self._error(
                field, f"found field {field.tag!r} in <{node.tag}>, expected one of its own{nearest(field.tag, known)}"
            )
        if not unknown:
            names = ", ".join(sorted({field.tag for field in used}))
            self._error(node, f"found {names} in one <{node.tag}>, expected fields of one of its events only")
        return False

    def _operands(self, node: Node, name: str) -> Iterator[Operand]:
        for child in node.children:
            if _is_rule(child):
                self._check_attributes(child, ("name", "groupRelation"))
                self._check_texts(child)
                own_name = child.attributes.get("name", "")
                filters = tuple(self._filters(child.children, own_name or name))
                relation = self._relation(child) or "or"
                if not filters:
                    self._warn(child, "found a <Rule> without fields, which does nothing")
                else:
                    yield Rule(relation, filters, own_name, child.place)
            else:
                yield from self._filters([child], name)

    def _filters(self, nodes: Iterable[Node], inherited: str) -> Iterator[Filter]:
        for node in nodes:
            self._check_attributes(node, ("condition", "name"))
            for child in node.children:
                self._warn(child, f"found <{child.tag}> inside of <{node.tag}>, where Sysmon does not look")
            if len(node.texts) > 1:
                self._warn(
                    node, f"found a value in {len(node.texts)} pieces, of which Sysmon reads {_short(node.value)}"
                )
            name = node.attributes.get("name", "") or inherited
            if len(name.encode()) > _MAX_NAME_BYTES:
                self._error(
                    node, f"found a rule name of {len(name.encode())} bytes, expected {_MAX_NAME_BYTES} at most"
                )
            given = node.attributes.get("condition", "")
            condition = given.lower() or "is"
            if condition not in CONDITIONS:
                self._error(
                    node,
                    f"found condition {_short(given)}, expected one of {', '.join(CONDITIONS)}"
                    f"{nearest(given, CONDITIONS)}",
                )
            else:
                yield Filter(node.tag, condition, node.value, name, node.place)


def _below(node: Node) -> Iterator[tuple[Node, Node]]:
    """Nodes below one, with their parents, in the document's order; not those inside of an event's element."""
    stack = [(child, node) for child in reversed(node.children)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        if node.tag not in EVENTS:
            stack += [(child, node) for child in reversed(node.children)]


def _is_rule(node: Node) -> bool:
    return node.tag.casefold() == "rule"


def _fields(operand: Node) -> list[Node]:
    return operand.children if _is_rule(operand) else [operand]


def _dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]:02}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
