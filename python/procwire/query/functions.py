"""IP addresses in SQL: macros for whether an address is in a network, and for its kind.

An address is text in any form, or the 16 bytes of `src_ip_bytes` and `dst_ip_bytes`, which need no parsing. Text is
parsed in pure SQL, so that it runs in every thread. Text that is not an address gives null. IPv4 addresses equal their
IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`), however written.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["SCOPES", "create_functions", "network_ends", "scope_case"]

SCOPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unspecified", ("0.0.0.0/32", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    # RFC 1918; unique local addresses; site-local ones, where Windows looks for DNS servers.
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("shared", ("100.64.0.0/10",)),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("broadcast", ("255.255.255.255/32",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")),
    # Parts of the reserved blocks below that IANA lists as globally reachable.
    ("global", ("192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48",
                "2001:20::/27")),
    ("reserved", ("0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "64:ff9b:1::/48", "100::/64",
                  "2001::/23", "2002::/16", "5f00::/16")),
)  # fmt: skip
"""Kinds of addresses and their networks, by IANA's registries of special addresses; the first match counts, and an
address without a match is global."""

_PRIVATE = ("private", "loopback", "link-local", "shared")

_OCTET = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_GROUPS = "[0-9a-f]{1,4}(:[0-9a-f]{1,4})*"
_ZONE = "(%[^%:]+)?"
_MAPPED = "00000000000000000000FFFF"
_MAPPED_FIRST, _MAPPED_LAST = f"unhex('{_MAPPED}00000000')", f"unhex('{_MAPPED}FFFFFFFF')"

# A macro copies its argument's text to each use, and nested macros multiply the copies: so each macro is a chain that
# uses its argument once or twice. Constant expressions are computed once, when the query is planned.


def _only(text: str, pattern: str, group: int = 0) -> str:
    """Return SQL for a group of the text if the entire text matches, else null."""
    return f"regexp_extract_all({text}, '^{pattern}$', {group})[1]"


_IS_IPV4 = f"regexp_full_match(ip, '({_OCTET}[.]){{3}}{_OCTET}')"
_IPV4_HEX = (
    f"CASE WHEN {_IS_IPV4} THEN substr(hex(4294967296 + array_inner_product("
    "TRY_CAST(split(ip, '.') AS DOUBLE[4]),"
    " [16777216, 65536, 256, 1]::DOUBLE[4])::BIGINT), 2) END"
)
# Groups of four digits; `::` becomes one group, and `_`, which stands for any others.
_GROUPS_HEX = (
    "replace(replace(regexp_replace(regexp_replace("
    f"{_only('lower(ip)', f'(({_GROUPS})?(::({_GROUPS})?)?){_ZONE}', 1)},"
    r" '([0-9a-f]+)', '000\1', 'g'), '[0-9a-f]*([0-9a-f]{4})\b', '\1', 'g'), '::', '_0000'), ':', '')"
)
_FILLED_HEX = _only("replace(groups, '_', repeat('0', 33 - length(groups)))", "[0-9a-f]{32}")
# `::ffff:10.0.0.1` is ::ffff:0:0 with its last eight digits from 10.0.0.1.
_DOTTED_HEX = (
    "substr(_ipv6_hex(regexp_replace(ip, '[^:]*$', '0:0')), 1, 24)"
    f" || _ipv4_hex(regexp_extract(ip, '([^:%]*){_ZONE}$', 1))"
)
_READ = (
    f"unhex(CASE WHEN NOT contains(ip, ':') THEN '{_MAPPED}' || _ipv4_hex(ip)"
    rf" WHEN regexp_matches(ip, ':\d+[.]') THEN {_DOTTED_HEX} ELSE _ipv6_hex(ip) END)"
)

_IPV6_PREFIX = _only("network || '/128'", r"[^/]*/(12[0-8]|1[01]\d|[1-9]?\d)(/128)?", 1)
_IPV4_PREFIX = _only("network || '/32'", r"[^/]*/(3[0-2]|[12]?\d)(/32)?", 1)
# Prefix length out of 128 bits; a network without one is a single address.
_PREFIX = f"CASE WHEN contains(network, ':') THEN {_IPV6_PREFIX}::BIGINT ELSE 96 + {_IPV4_PREFIX}::BIGINT END"
_BASE = "_read(split_part(network, '/', 1))::BIT"
_FIRST = f"({_BASE} & rpad(repeat('1', _prefix(network)), 128, '0')::BIT)::BLOB"
_LAST = f"({_BASE} | rpad(repeat('0', _prefix(network)), 128, '1')::BIT)::BLOB"
_NO_NETWORK = "error('found network ' || network || ', expected one such as 10.0.0.0/8 or 2001:db8::/32')::BLOB"
# An IPv6 network that includes all of IPv4, such as ::/0, contains only IPv6 addresses.
_IN = (
    f"address BETWEEN coalesce(network_first(network), {_NO_NETWORK}) AND network_last(network)"
    f" AND (network_first(network) >= {_MAPPED_FIRST} OR network_last(network) < {_MAPPED_FIRST}"
    f" OR NOT address BETWEEN {_MAPPED_FIRST} AND {_MAPPED_LAST})"
)


def network_ends(network: str) -> tuple[bytes, bytes]:
    """Return the first and the last address of a network, as 16 bytes each. Raises ValueError for other texts."""
    parsed = ip_network(network)
    return _packed(parsed, 0), _packed(parsed, -1)


def _packed(network: IPv4Network | IPv6Network, index: int) -> bytes:
    address = network[index]
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def scope_case() -> str:
    """Return an SQL expression, for DuckDB and Spark, that gives the kind of the address in the bytes `address`."""
    whens = "".join(
        f" WHEN address BETWEEN unhex('{first.hex()}') AND unhex('{last.hex()}') THEN '{scope}'"
        for scope, networks in SCOPES
        for first, last in map(network_ends, networks)
    )
    return f"CASE WHEN address IS NULL THEN NULL{whens} ELSE 'global' END"


def _ipv4_pattern(network: IPv4Network) -> str:
    """Return a pattern for the beginning of IPv4 addresses, as text, in a network."""
    first, last = network[0].packed, network[-1].packed
    octets = ("|".join(map(str, range(low, high + 1))) for low, high in zip(first, last, strict=True)
              if (low, high) != (0, 255))  # fmt: skip
    return "".join(f"({octet})[.]" for octet in octets)


def _is_private() -> str:
    """Return SQL with a fast path for the most common texts: one pattern decides."""
    networks = [ip_network(name) for scope, names in SCOPES if scope in _PRIVATE for name in names]
    patterns = "|".join(_ipv4_pattern(network) for network in networks if network.version == 4)
    return (
        f"CASE WHEN contains(ip, ':') THEN list_transform([_read(ip)], lambda address: _is_private(address))[1]"
        f" WHEN {_IS_IPV4} THEN regexp_matches(ip, '^({patterns})') END"
    )


def _of_both(name: str, body: str, text_body: str = "") -> tuple[str, str]:
    """Return a macro over an address's 16 bytes, with a private name, and the macro that accepts both forms."""
    # Parse the text once, although it is compared with many networks.
    text_body = text_body or f"list_transform([_read(ip)], lambda address: _{name}(address))[1]"
    return f"_{name}(address) AS {body}", f"{name}(ip BLOB) AS _{name}(ip), (ip VARCHAR) AS {text_body}"


def _macros() -> tuple[str, ...]:
    private = ", ".join(f"'{scope}'" for scope in _PRIVATE)
    return (
        f"_ipv4_hex(ip) AS {_IPV4_HEX}",
        f"_filled_hex(groups) AS {_FILLED_HEX}",
        f"_ipv6_hex(ip) AS _filled_hex({_GROUPS_HEX})",
        f"_read(ip) AS {_READ}",
        "ip_bytes(ip BLOB) AS ip, (ip VARCHAR) AS _read(ip)",
        f"_prefix(network) AS {_PREFIX}",
        f"network_first(network) AS {_FIRST}",
        f"network_last(network) AS {_LAST}",
        f"_ip_in(address, network) AS {_IN}",
        "ip_in(ip BLOB, network) AS _ip_in(ip, network), (ip VARCHAR, network) AS"
        " list_transform([_read(ip)], lambda address: _ip_in(address, network))[1]",
        *_of_both("ip_scope", scope_case()),
        *_of_both("is_private", f"_ip_scope(address) IN ({private})", _is_private()),
        *_of_both("is_loopback", "_ip_scope(address) = 'loopback'"),
        *_of_both("is_multicast", "_ip_scope(address) = 'multicast'"),
        *_of_both("is_global", "_ip_scope(address) = 'global'"),
    )


def create_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in a DuckDB connection: `ip_in`, `ip_scope`, `is_private` and others; see docs/sql.md."""
    for macro in _macros():
        connection.execute(f"CREATE OR REPLACE MACRO {macro}")
