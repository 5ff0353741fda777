"""Construct events that match a Sigma rule, to check whether a Sysmon configuration would log any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from itertools import islice, product
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from procwire.event import LIVE_SCHEMA
from procwire.query.functions import network_ends
from procwire.sigma.matching.stream import SigmaStream
from procwire.sigma.model.fields import ADDRESS_BYTES
from procwire.sigma.model.rule import RuleSet
from procwire.sigma.model.tree import (
    All,
    Any,
    Compared,
    Equal,
    InNetwork,
    Leaf,
    Like,
    Missing,
    Node,
    Not,
    Part,
    Wildcard,
)

if TYPE_CHECKING:
    from procwire.sigma.model.rule import Rule

__all__ = ["row_of", "witnesses"]

Values = Mapping[str, object]

# The most events for each rule; the first few choices of many alternatives suffice.
_MOST = 256
# An installed program, and one in a folder of temporary files.
_PLACES = (("C:\\Program Files\\Some\\program.exe", "C:\\Users\\someone\\AppData\\Local\\Temp\\program.exe"),
           ("/usr/bin/program", "/tmp/program"))  # fmt: skip
_STARTS = {"\\": "C:", ":": "C", "/": "/usr/bin", ".": "host"}
_TEXT_OF = {data: text for text, data in ADDRESS_BYTES.items()}
_ORDINARY: dict[str, object] = {
    "provider_name": "Microsoft-Windows-Sysmon", "record_kind": "connection", "computer_name": "host", "event_id": 3,
    "user_name": "DOMAIN\\someone", "process_id": 4321,
    "network_protocol": "tcp", "network_connection_initiated": True, "src_ip": "10.20.30.40", "src_port": 50123,
    "src_is_ipv6": False, "dst_is_ipv6": False, "dst_ip": "203.0.113.77", "dst_port": 443,
}  # fmt: skip


def witnesses(rule: Rule) -> pa.RecordBatch:
    """Return events, of `event.LIVE_SCHEMA`, that match the rule's tree and are otherwise ordinary.

    Empty for a correlation, or if values cannot be constructed, as with regular expressions.
    """
    found = list(islice(_ways(rule.tree, True), _MOST)) if rule.tree is not None else []
    places = _PLACES[rule.logsource.product == "linux"]
    rows = [row_of({"process_name": place, **values}) for place in places for values in found]
    batch = pa.RecordBatch.from_pylist(rows, schema=LIVE_SCHEMA)
    matching = set(SigmaStream(RuleSet((rule,))).matches(_numbered(batch)).column("record_id").to_pylist())
    return batch.filter(pa.array([number in matching for number in range(batch.num_rows)], pa.bool_()))


def row_of(values: Values) -> dict[str, object]:
    """Return an event with these values, and the bytes of its addresses."""
    row = {**_ORDINARY, **values}
    for text, data in ADDRESS_BYTES.items():
        row[data] = network_ends(str(row[text]))[0] if row.get(text) else None
        row[text.replace("_ip", "_is_ipv6")] = ":" in str(row[text])
    return row


def _numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = LIVE_SCHEMA.get_field_index("record_id")
    return batch.set_column(place, LIVE_SCHEMA.field(place), pa.array(range(batch.num_rows), pa.int64()))


def _ways(node: Node, wanted: bool) -> Iterator[Values]:
    """Yield values for which the node's result is `wanted`; other columns stay open."""
    match node:
        case Leaf():
            yield from _value(node) if wanted else ({},)
        case Not(operand):
            yield from _ways(operand, not wanted)
        case All(operands) | Any(operands) if isinstance(node, All) == wanted:
            yield from _together([_ways(operand, wanted) for operand in operands])
        case All(operands) | Any(operands):
            for operand in operands:
                yield from _ways(operand, wanted)


def _together(parts: Iterable[Iterator[Values]]) -> Iterator[Values]:
    for values in islice(product(*(list(islice(part, _MOST)) for part in parts)), 16 * _MOST):
        merged: dict[str, object] = {}
        if all(merged.setdefault(name, value) == value for one in values for name, value in one.items()):
            yield merged


def _value(leaf: Leaf) -> Iterator[Values]:
    match leaf.test:
        case Missing():
            yield {leaf.column: None}
        case Equal(value):
            yield {leaf.column: value}
        case Like(parts):
            texts = ("x" if part is Wildcard.ONE else "" if part is Wildcard.ANY else part for part in parts)
            yield {leaf.column: _whole("".join(cast(Iterable[str], texts)), parts)}
        case InNetwork(network):
            known = ip_network(network) if "/" in network else ip_network(ip_address(network))
            yield {_TEXT_OF[leaf.column]: str(known[min(7, known.num_addresses - 1)])}
        case Compared(operator, number):
            yield {leaf.column: int(number) + {"<": -1, ">": 1}.get(operator, 0)}


def _whole(text: str, parts: Sequence[Part]) -> str:
    """Return a text that matches a pattern, with its open ends filled in like paths and host names."""
    start = _STARTS.get(text[:1], "") if parts[0] is Wildcard.ANY else ""
    end = "program.exe" if parts[-1] is Wildcard.ANY and text.endswith("\\") else ""
    return start + text + end
