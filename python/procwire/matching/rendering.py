"""Render values as the texts that rules compare, in Python and in SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv6Address

__all__ = ["long_ipv6", "long_ipv6_sql", "text_of"]


def text_of(value: object) -> str:
    """Return a value that is not None as text, as SQL casts it; a time in UTC, to the millisecond."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")
    return str(value)


def long_ipv6(text: str) -> str:
    """Return an IPv6 address with all eight groups: `0:0:0:0:0:0:0:1` for `::1`. Other texts stay as they are."""
    if ":" not in text:
        return text
    try:
        packed = IPv6Address(text).packed
    except AddressValueError:
        return text
    return ":".join(f"{packed[place] << 8 | packed[place + 1]:x}" for place in range(0, 16, 2))


def long_ipv6_sql(column: str, bytes_column: str, otherwise: str) -> str:
    """Return an SQL expression for what `long_ipv6` makes of an address, in lower case.

    column: the address as text. bytes_column: its 16 bytes. otherwise: SQL for what is no IPv6 address.
    """
    # A colon before each group of four digits, then at most three of its leading zeros go.
    parted = rf"regexp_replace(lower(hex({bytes_column})), '(.{{4}})', ':\1', 'g')"
    groups = f"substr(regexp_replace({parted}, ':0{{1,3}}', ':', 'g'), 2)"
    is_ipv6 = f"contains({column}, ':') AND {bytes_column} IS NOT NULL"
    return f"CASE WHEN {is_ipv6} THEN {groups} ELSE {otherwise} END"
