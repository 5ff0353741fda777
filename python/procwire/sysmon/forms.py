"""Render the texts that Sysmon compares: each field of event 3, of a row and in SQL.

The table holds numbers, flags, times and addresses; Sysmon's conditions see text. A missing string is `-`; a missing
number, flag or GUID cannot be rendered, and an element that tests it does not match (SysmonCommon, eventsCommon.cpp,
EventResolveField).
"""

from __future__ import annotations

from collections.abc import Mapping

from procwire.event import Field, field
from procwire.matching import rendering
from procwire.matching.rendering import long_ipv6, long_ipv6_sql
from procwire.sysmon.manifest import NETWORK_FIELDS

__all__ = [
    "ADDRESSES",
    "COLUMNS",
    "NAMES_LOOKED_UP",
    "SIZED",
    "TYPED",
    "sysmon_texts",
    "text_of",
    "text_sql",
]

COLUMNS: Mapping[str, Field] = {name: field(name, "sysmon") for name in NETWORK_FIELDS}
"""Maps Sysmon's name of a field to its column."""

TYPED = frozenset(
    ("ProcessGuid", "ProcessId", "Initiated", "SourceIsIpv6", "SourcePort", "DestinationIsIpv6", "DestinationPort")
)
"""Fields that are not strings, and so may have no text."""

ADDRESSES: Mapping[str, str] = {"SourceIp": "src_ip_bytes", "DestinationIp": "dst_ip_bytes"}
"""Maps address fields to the columns with their 16 bytes."""

NAMES_LOOKED_UP = ("SourceHostname", "SourcePortName", "DestinationHostname", "DestinationPortName")
"""Fields that stay empty if DnsLookup is False."""

SIZED = frozenset(COLUMNS) - TYPED - {"UtcTime", *ADDRESSES}
"""Fields that FieldSizes cuts: those that are texts in the table, too."""

_MISSING = "-"


def sysmon_texts(row: Mapping[str, object], *, dns_lookup: bool = True) -> dict[str, str | None]:
    """Return Sysmon's text of each field of event 3; None for a field without one. row: has the standard names."""
    texts = {name: text_of(name, row.get(column.name)) for name, column in COLUMNS.items()}
    # While rules are evaluated there is no rule name yet.
    texts["RuleName"] = _MISSING
    if not dns_lookup:
        texts |= dict.fromkeys(NAMES_LOOKED_UP, _MISSING)
    return texts


def text_of(name: str, value: object) -> str | None:
    """Return Sysmon's text of a field's value, a Python value from Arrow; None if it has none."""
    if value is None:
        return None if name in TYPED else _MISSING
    text = rendering.text_of(value)
    return long_ipv6(text) if name in ADDRESSES else text


def text_sql(name: str, *, dns_lookup: bool = True) -> str:
    """Return an SQL expression over the table's columns for a field's text in lower case; null if it has none."""
    column = COLUMNS[name].name
    if name == "RuleName" or (name in NAMES_LOOKED_UP and not dns_lookup):
        return f"'{_MISSING}'"
    if name == "UtcTime":
        return f"coalesce(strftime({column}, '%Y-%m-%d %H:%M:%S.%g'), '{_MISSING}')"
    if name == "ProcessGuid":
        return f"lower({column})"
    if name in TYPED:
        return f"CAST({column} AS VARCHAR)"
    text = f"lower(coalesce({column}, '{_MISSING}'))"
    if name in ADDRESSES:
        return long_ipv6_sql(column, ADDRESSES[name], text)
    return text
