"""Explain which values SourceIp and DestinationIp never have. Reasons: see `fields`."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address

from procwire.matching.rendering import long_ipv6
from procwire.sysmon.atoms import Atom
from procwire.sysmon.checks.reasons import Reason, list_hint, without_wildcards

__all__ = ["why_never_address"]


def why_never_address(atom: Atom) -> Reason:
    """Explain why an address, as Sysmon renders it, never fulfils a comparison."""
    kind, text = atom
    if "*" in text:
        return f"Sysmon has no wildcards; write {without_wildcards(text)}"
    if "/" in text:
        return f"addresses are compared as text, without ranges{_range_hint(text)}"
    if re.search(r"[^\da-f.:]", text):
        return f"addresses hold digits, dots and colons{list_hint(atom)}"
    if "::" in text:
        return f"IPv6 addresses are compared in eight groups, without '::'{_long_hint(text)}"
    if ":" in text and (bare := _without_zeros(atom)) != text:
        return f"IPv6 groups are compared without leading zeros; write '{bare}'"
    if kind in ("is", "image") and not _is_address(text):
        return f"addresses are compared in full; write begin with '{text}', if it is the first part of one"
    return None


def _is_address(text: str) -> bool:
    try:
        return bool(IPv6Address(text) if ":" in text else IPv4Address(text))
    except AddressValueError:
        return False


def _without_zeros(atom: Atom) -> str:
    # A text that begins a part of an address may occur within a group.
    start = "(?:^|(?<=:))" if atom.kind in ("is", "image", "begin with") else "(?<=:)"
    return re.sub(rf"{start}0+(?=[\da-f])", "", atom.text)


def _long_hint(text: str) -> str:
    whole = long_ipv6(text)
    if "::" not in whole and not text.endswith("::"):
        return f"; write '{whole}'"
    return "; write begin with 'fe80:0:0:0:'" if text == "fe80::" else "; write begin with its first groups, zeros too"


def _range_hint(text: str) -> str:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        return "; write begin with the part of it that is fixed"
    whole, rest = divmod(network.prefixlen, 8)
    first, last = (str(address).split(".") for address in (network[0], network[-1]))
    if whole == 4:
        return f"; write is '{network[0]}'"
    if rest:
        start, end = (".".join(octets[: whole + 1]) for octets in (first, last))
        return f"; write begin with, one filter each from '{start}.' to '{end}.'"
    return f"; write begin with '{'.'.join(first[:whole])}.'" if whole else ""
