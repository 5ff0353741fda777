"""The functions on addresses (`query.functions`) for Spark, which has no macros: each call is replaced by their body.

An argument that is a column or a constant is inserted at each use; any other is bound first, so that it is computed
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from ipaddress import IPv4Network, ip_network

import sqlglot
from sqlglot import exp

from procwire.query.functions import SCOPES, network_ends, scope_case

__all__ = ["FUNCTIONS", "expand"]

_PRIVATE = ("private", "loopback", "link-local", "shared")
_IPV4 = network_ends("::ffff:0:0/96")
_MAPPED = "00000000000000000000FFFF"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_GROUPS = "[0-9a-f]{1,4}(:[0-9a-f]{1,4})*"
_ZONE = "(%[^%:]+)?"
_END = r"\\z"
_IS_IPV4 = f"^({_OCTET}[.]){{3}}{_OCTET}{_END}"


def _of_scope(*scopes: str) -> str:
    """Return SQL with a fast path for the most common texts: one pattern decides, which Spark compiles."""
    networks = (ip_network(text) for scope, texts in SCOPES if scope in scopes for text in texts)
    patterns = "|".join(_ipv4_pattern(network) for network in networks if isinstance(network, IPv4Network))
    return (
        "CASE WHEN typeof(ip) = 'binary' OR contains(CAST(ip AS STRING), ':')"
        f" THEN ip_scope(ip) IN ({', '.join(map(repr, scopes))})"
        f" WHEN CAST(ip AS STRING) RLIKE '{_IS_IPV4}' THEN CAST(ip AS STRING) RLIKE '^({patterns})' END"
    )


def _ipv4_pattern(network: IPv4Network) -> str:
    """Return a pattern for the beginning of addresses, as text, in a network."""
    ends = zip(network[0].packed, network[-1].packed, strict=True)
    octets = ("|".join(map(str, range(low, high + 1))) for low, high in ends if (low, high) != (0, 255))
    return "".join(f"({octet})[.]" for octet in octets)


def _prefix(most: int, numbers: str) -> str:
    return f"nullif(regexp_extract(concat(network, '/{most}'), '^[^/]*/({numbers})(/{most})?{_END}', 1), '')"


def _end(digit: str, rest: str) -> str:
    """Return SQL for an end of a network: the digits that the prefix fixes, a digit fixed in part, and the rest."""
    return f"unhex(substr(concat(substr(base, 1, kept DIV 4), hex({digit}), repeat('{rest}', 32)), 1, 32))"


_DIGIT = "coalesce(CAST(conv(nullif(substr(base, kept DIV 4 + 1, 1), ''), 16, 10) AS BIGINT), 0)"
_STEP = "shiftleft(CAST(1 AS BIGINT), 4 - kept % 4)"

_BODIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "_ipv4_hex": (
        ("ip",),
        f"CASE WHEN ip RLIKE '{_IS_IPV4}' THEN substr(hex(4294967296"
        " + CAST(split_part(ip, '.', 1) AS BIGINT) * 16777216 + CAST(split_part(ip, '.', 2) AS BIGINT) * 65536"
        " + CAST(split_part(ip, '.', 3) AS BIGINT) * 256 + CAST(split_part(ip, '.', 4) AS BIGINT)), 2) END",
    ),
    # Groups of four digits; `::` becomes one group, and `_`, which stands for any others.
    "_groups_hex": (
        ("ip",),
        "replace(replace(regexp_replace(regexp_replace("
        f"nullif(regexp_extract(lower(ip), '^(({_GROUPS})?(::({_GROUPS})?)?){_ZONE}{_END}', 1), ''),"
        r" '([0-9a-f]+)', '000$1'), '[0-9a-f]*([0-9a-f]{4})\\b', '$1'), '::', '_0000'), ':', '')",
    ),
    "_filled_hex": (
        ("digits",),
        "nullif(regexp_extract(replace(digits, '_', repeat('0', 33 - length(digits))),"
        f" '^[0-9a-f]{{32}}{_END}', 0), '')",
    ),
    "_ipv6_hex": (("ip",), "_filled_hex(_groups_hex(ip))"),
    # `::ffff:10.0.0.1` is ::ffff:0:0 with its last eight digits from 10.0.0.1.
    "_dotted_hex": (
        ("ip",),
        f"concat(substr(_ipv6_hex(regexp_replace(ip, ':[^:]*{_END}', ':0:0')), 1, 24),"
        f" _ipv4_hex(regexp_extract(ip, '([^:%]*){_ZONE}{_END}', 1)))",
    ),
    "_read_hex": (
        ("ip",),
        f"CASE WHEN NOT contains(ip, ':') THEN concat('{_MAPPED}', _ipv4_hex(ip))"
        r" WHEN ip RLIKE ':[0-9]+[.]' THEN _dotted_hex(ip) ELSE _ipv6_hex(ip) END",
    ),
    # The type is known when the query is planned.
    "ip_bytes": (
        ("ip",),
        "CASE WHEN typeof(ip) = 'binary' THEN CAST(ip AS BINARY) ELSE unhex(_read_hex(CAST(ip AS STRING))) END",
    ),
    # Prefix length out of 128 bits; a network without one is a single address.
    "_prefix": (
        ("network",),
        f"CASE WHEN contains(network, ':') THEN CAST({_prefix(128, '12[0-8]|1[01][0-9]|[1-9]?[0-9]')} AS INT)"
        f" ELSE 96 + CAST({_prefix(32, '3[0-2]|[12]?[0-9]')} AS INT) END",
    ),
    "_first": (("base", "kept"), _end(f"{_DIGIT} - {_DIGIT} % {_STEP}", "0")),
    "_last": (("base", "kept"), _end(f"{_DIGIT} - {_DIGIT} % {_STEP} + {_STEP} - 1", "F")),
    "network_first": (("network",), "_first(_read_hex(split_part(network, '/', 1)), _prefix(network))"),
    "network_last": (("network",), "_last(_read_hex(split_part(network, '/', 1)), _prefix(network))"),
    # An IPv6 network that includes all of IPv4, such as ::/0, contains only IPv6 addresses.
    "_between": (
        ("address", "low", "high", "network"),
        "CASE WHEN network IS NULL THEN NULL WHEN low IS NULL THEN CAST(raise_error(concat('found network ', network,"
        " ', expected one such as 10.0.0.0/8 or 2001:db8::/32')) AS BOOLEAN)"
        " ELSE address BETWEEN low AND high"
        f" AND (low >= unhex('{_MAPPED}00000000') OR high < unhex('{_MAPPED}00000000')"
        f" OR NOT address BETWEEN unhex('{_MAPPED}00000000') AND unhex('{_MAPPED}FFFFFFFF')) END",
    ),
    "ip_in": (("ip", "network"), "_between(ip_bytes(ip), network_first(network), network_last(network), network)"),
    "_scope": (("address",), scope_case()),
    "ip_scope": (("ip",), "_scope(ip_bytes(ip))"),
    "is_private": (("ip",), _of_scope(*_PRIVATE)),
    "is_loopback": (("ip",), _of_scope("loopback")),
    "is_multicast": (("ip",), _of_scope("multicast")),
    "is_global": (("ip",), "ip_scope(ip) = 'global'"),
}

FUNCTIONS = frozenset(_BODIES)
"""Names of the functions, in lower case; those with a leading underscore are helpers."""


def expand(name: str, arguments: Sequence[exp.Expr]) -> exp.Expr | None:
    """Return the expression that replaces a call; None if the number of arguments is wrong."""
    parameters, _ = _BODIES[name]
    if len(arguments) != len(parameters):
        return None
    if name == "ip_in" and (ends := _constant_ends(arguments[1])):
        return _in(arguments[0], *ends)
    given = {}
    bindings: list[tuple[str, exp.Expr]] = []
    for parameter, argument in zip(parameters, arguments, strict=True):
        simple = _is_simple(argument)
        variable = f"_{parameter}_{name.strip('_')}"
        given[parameter] = argument if simple else exp.to_identifier(variable)
        bindings += [] if simple else [(variable, argument)]
    body: exp.Expr = exp.paren(_filled(name, given))
    for variable, argument in reversed(bindings):
        body = _bound(variable, argument, body)
    return body


def _is_simple(argument: exp.Expr) -> bool:
    bare = argument.this if isinstance(argument, exp.Cast) else argument
    return isinstance(bare, exp.Column | exp.Identifier | exp.Literal | exp.Null)


def _constant_ends(network: exp.Expr) -> tuple[bytes, bytes] | None:
    """Return the ends of a constant network: then two comparisons remain, and files can be skipped. None for others."""
    if not isinstance(network, exp.Literal) or not re.fullmatch(r"[0-9A-Fa-f:.]+(/(0|[1-9]\d*))?", network.name):
        return None
    try:
        return network_ends(str(ip_network(network.name, strict=False)))
    except ValueError:
        return None


def _in(ip: exp.Expr, first: bytes, last: bytes) -> exp.Expr:
    address = expand("ip_bytes", [ip])
    low, high = (f"unhex('{end.hex()}')" for end in (first, last))
    test = f"address BETWEEN {low} AND {high}"
    if first < _IPV4[0] and last >= _IPV4[0]:
        test += f" AND NOT address BETWEEN unhex('{_IPV4[0].hex()}') AND unhex('{_IPV4[1].hex()}')"
    return exp.paren(_put(sqlglot.parse_one(test, read="spark"), {"address": address or ip}))


def _filled(name: str, given: Mapping[str, exp.Expr]) -> exp.Expr:
    return bottom_up(_put(_parsed(name).copy(), given), lambda node: _called(node) or node)


def _put(tree: exp.Expr, given: Mapping[str, exp.Expr]) -> exp.Expr:
    """Return the tree with parameters replaced by arguments."""

    def argument(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in given:
            return given[node.name].copy()
        return node

    return tree.transform(argument)


def _called(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous) and node.name.lower() in FUNCTIONS:
        return expand(node.name.lower(), node.expressions)
    return None


def bottom_up(tree: exp.Expr, change: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Return the tree with each node changed after its children."""
    for node in reversed(list(tree.walk(bfs=True))):
        changed = change(node)
        if changed is not node:
            if node is tree:
                tree = changed
            else:
                node.replace(changed)
    return tree


def _bound(variable: str, argument: exp.Expr, body: exp.Expr) -> exp.Expr:
    one = exp.Lambda(this=body, expressions=[exp.to_identifier(variable)])
    return exp.func(
        "get", exp.func("transform", exp.func("array", argument, dialect="spark"), one), exp.Literal.number(0)
    )


@cache
def _parsed(name: str) -> exp.Expr:
    return sqlglot.parse_one(_BODIES[name][1], read="spark")
