"""The texts that Sysmon compares: how it renders each field of event 3, of a row and in SQL.

The table holds numbers, flags, times and addresses; Sysmon's conditions see text. A missing string is `-`; a missing
number, flag or GUID cannot be rendered, and the element that asks for it does not match (SysmonCommon,
eventsCommon.cpp, EventResolveField).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv6Address

from procwire.event import Field, field
from procwire.rules.manifest import NETWORK_FIELDS

__all__ = [
    "ADDRESSES",
    "COLUMNS",
    "NAMES_LOOKED_UP",
    "SIZED",
    "TYPED",
    "long_ipv6",
    "sysmon_texts",
    "text_of",
    "text_sql",
]

COLUMNS: Mapping[str, Field] = {name: field(name, "sysmon") for name in NETWORK_FIELDS}
"""Sysmon's name of a field to its column."""

TYPED = frozenset(
    ("ProcessGuid", "ProcessId", "Initiated", "SourceIsIpv6", "SourcePort", "DestinationIsIpv6", "DestinationPort")
)
"""Fields that are no strings, and so may be without a text."""

ADDRESSES: Mapping[str, str] = {"SourceIp": "src_ip_bytes", "DestinationIp": "dst_ip_bytes"}
"""Addresses, and the columns that hold their 16 bytes."""

NAMES_LOOKED_UP = ("SourceHostname", "SourcePortName", "DestinationHostname", "DestinationPortName")
"""Fields that stay empty where DnsLookup is False."""

SIZED = frozenset(COLUMNS) - TYPED - {"UtcTime", *ADDRESSES}
"""Fields that FieldSizes cuts: those that are texts here, too."""

_MISSING = "-"


def sysmon_texts(row: Mapping[str, object], *, dns_lookup: bool = True) -> dict[str, str | None]:
    """Sysmon's text of each field of event 3, of a row under the standard names; None where there is none."""
    texts = {name: text_of(name, row.get(column.name)) for name, column in COLUMNS.items()}
    # While rules are asked there is no rule's name yet.
    texts["RuleName"] = _MISSING
    if not dns_lookup:
        texts |= dict.fromkeys(NAMES_LOOKED_UP, _MISSING)
    return texts


def text_of(name: str, value: object) -> str | None:
    """Sysmon's text of a field's value, as Arrow gives it to Python; None where it has none."""
    if value is None:
        return None if name in TYPED else _MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    return long_ipv6(str(value)) if name in ADDRESSES else str(value)


def long_ipv6(text: str) -> str:
    """`0:0:0:0:0:0:0:1` for `::1`; what is no IPv6 address stays as it is."""
    if ":" not in text:
        return text
    try:
        packed = IPv6Address(text).packed
    except AddressValueError:
        return text
    return ":".join(f"{packed[place] << 8 | packed[place + 1]:x}" for place in range(0, 16, 2))


def text_sql(name: str, *, dns_lookup: bool = True) -> str:
    """The same as an SQL expression over the table's columns, in lower case; null where there is no text."""
    column = COLUMNS[name].name
    if name == "RuleName" or (name in NAMES_LOOKED_UP and not dns_lookup):
        return f"'{_MISSING}'"
    if name == "UtcTime":
        return f"coalesce(strftime({column}, '%Y-%m-%d %H:%M:%S.%g'), '{_MISSING}')"
    if name == "ProcessGuid":
        return f"lower({column})"
    if name in TYPED:
        return f"CAST({column} AS VARCHAR)"
    if name in ADDRESSES:
        return _address_sql(column, ADDRESSES[name])
    return f"lower(coalesce({column}, '{_MISSING}'))"


def _address_sql(column: str, bytes_column: str) -> str:
    # A colon before each group of four digits, then of its leading zeros three at most go.
    parted = rf"regexp_replace(lower(hex({bytes_column})), '(.{{4}})', ':\1', 'g')"
    groups = f"substr(regexp_replace({parted}, ':0{{1,3}}', ':', 'g'), 2)"
    is_ipv6 = f"contains({column}, ':') AND {bytes_column} IS NOT NULL"
    return f"CASE WHEN {is_ipv6} THEN {groups} ELSE lower(coalesce({column}, '{_MISSING}')) END"
