"""Read options of a configuration: DnsLookup and FieldSizes are applied, the others only checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from procwire.sysmon.document import Node
from procwire.sysmon.findings import Findings, dotted, nearest, quoted
from procwire.sysmon.forms import SIZED
from procwire.sysmon.manifest import EVENTS, OPTIONS, Version
from procwire.sysmon.model import NETWORK_CONNECT

__all__ = ["Options", "read_options"]

_FALSE, _TRUE = ("false", "0", "disabled", "no"), ("true", "1", "enabled", "yes")


@dataclass(slots=True)
class Options:
    """Hold the options that are applied."""

    dns_lookup: bool = True
    field_sizes: dict[str, int] = field(default_factory=dict)


def read_options(root: Node, version: Version, findings: Findings) -> Options:
    """Return the options below `<Sysmon>`, up to the first that Sysmon does not know, at which it stops."""
    reader = _Reader(version, findings)
    reader.read(root)
    return reader.options


class _Reader:
    def __init__(self, version: Version, findings: Findings) -> None:
        self._version = version
        self._findings = findings
        self.options = Options()

    def read(self, root: Node) -> None:
        stopped_at: str | None = None
        for node in root.children:
            if node.tag == "EventFiltering":
                continue
            if stopped_at is not None:
                self._findings.warn(node, f"<{node.tag}> is not read: Sysmon stops reading options at <{stopped_at}>")
            elif node.tag.removesuffix("Config") not in OPTIONS:
                stopped_at = node.tag
                if node.tag in EVENTS or node.tag == "RuleGroup":
                    self._findings.warn(
                        node, f"found <{node.tag}> outside of <EventFiltering>, where Sysmon does not look for rules"
                    )
                else:
                    names = ("EventFiltering", *OPTIONS)
                    self._findings.warn(
                        node, f"found option <{node.tag}>, which Sysmon does not know{nearest(node.tag, names)}"
                    )
            else:
                self._option(node)

    def _option(self, node: Node) -> None:
        name = node.tag.removesuffix("Config")
        if self._version < OPTIONS[name]:
            self._findings.warn(
                node, f"option {name} came with schema {dotted(OPTIONS[name])}: older Sysmon does not know it"
            )
        if name == "DnsLookup":
            self.options.dns_lookup = self._flag(node)
        elif name == "FieldSizes":
            self.options.field_sizes = self._sizes(node)
        elif name == NETWORK_CONNECT:
            self._findings.note(
                node, "option NetworkConnect (-n PROCESS,...) is not applied from a file: give -n, or use rules"
            )
        else:
            self._findings.note(node, f"option {name} is not applied: it has nothing to do with network connections")

    def _flag(self, node: Node) -> bool:
        if node.value.casefold() in _FALSE:
            return False
        if node.value.casefold() not in _TRUE:
            self._findings.error(node, f"found {quoted(node.value)} in <{node.tag}>, expected True or False")
        return True

    def _sizes(self, node: Node) -> dict[str, int]:
        sizes = {}
        known = {name for layouts in EVENTS.values() for layout in layouts for name in layout}
        for part in node.value.split(",") if node.value else []:
            name, colon, number = part.partition(":")
            if not colon or not re.fullmatch(r"[1-9][0-9]{0,5}", number):
                self._findings.error(node, f"found {quoted(part)} in <FieldSizes>, expected Field:N with N from 1 on")
            elif name not in known:
                self._findings.error(
                    node, f"found field {name!r} in <FieldSizes>, which no event has{nearest(name, known)}"
                )
            elif name in SIZED:
                sizes[name] = int(number)
            else:
                self._findings.note(node, f"the size of {name} is not applied: it is no text of event 3")
        return sizes
