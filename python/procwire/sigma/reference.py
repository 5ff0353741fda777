"""The reference for whether a rule matches an event, straight from the Sigma specification: tests compare with it.

An event is what the log says: Sysmon's fields as texts; `-`, empty or absent means no value. The reference shares
nothing with the SQL and the matcher, not even the parsed tree: it walks pySigma's own.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

__all__ = ["Event", "matches"]

Event = Mapping[str, str | None]

_ADDRESSES = ("SourceIp", "DestinationIp")
_FLAGS = ("Initiated", "SourceIsIpv6", "DestinationIsIpv6")
_NUMBERS = ("ProcessId", "SourcePort", "DestinationPort")
_KEYWORDS = ("Image", "User", "Protocol", "SourceIp", "SourceHostname", "SourcePortName", "DestinationIp",
             "DestinationHostname", "DestinationPortName", "RuleName", "Computer")  # fmt: skip
_COMPARE = {CompareOperators.LT: operator.lt, CompareOperators.LTE: operator.le, CompareOperators.GT: operator.gt,
            CompareOperators.GTE: operator.ge}  # fmt: skip
_SPECIAL = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}


def matches(rule: SigmaRule, event: Event) -> bool:
    """Return whether the rule matches the event."""
    is_linux = event.get("ProviderName") == "Linux-Sysmon"
    product = rule.logsource.product
    if product is not None and is_linux != (product == "linux"):
        return False
    return any(_holds(condition.parsed, event) for condition in rule.detection.parsed_condition)


def _holds(condition: Any, event: Event) -> bool:
    match condition:
        case ConditionAND():
            return all(_holds(one, event) for one in condition.args)
        case ConditionOR():
            return any(_holds(one, event) for one in condition.args)
        case ConditionNOT():
            return not _holds(condition.args[0], event)
        case ConditionFieldEqualsValueExpression():
            return _fulfils(condition.field, condition.value, event)
        case ConditionValueExpression():
            return any(_is_in(name, condition.value, event) for name in _KEYWORDS)
    raise AssertionError(condition)


def _value(event: Event, name: str) -> str | None:
    """Return a field's text; None if it has none."""
    text = event.get(name)
    return None if text in (None, "", "-") else text


def _fulfils(name: str, wanted: Any, event: Event) -> bool:
    text = _value(event, name)
    match wanted:
        case SigmaExpansion():
            return any(_fulfils(name, one, event) for one in wanted.values)
        case SigmaNull():
            return text is None
        case SigmaExists():
            return wanted.exists == (text is not None)
        case SigmaString() if str(wanted) in ("", "-"):
            return text is None
    return text is not None and _is(name, text, wanted, event)


def _is(name: str, text: str, wanted: Any, event: Event) -> bool:
    match wanted:
        case SigmaString():
            return _is_text(name, text, wanted)
        case SigmaBool():
            return text.lower() == str(wanted.boolean).lower()
        case SigmaTimestampPart():
            return _part(text, wanted.timestamp_part.name) == wanted.number
        case SigmaNumber():
            return _is_text(name, text, SigmaString(str(wanted.number)))
        case SigmaCompareExpression():
            return bool(_COMPARE[wanted.op](int(text), wanted.number.number))
        case SigmaCIDRExpression():
            return _lies_in(text, wanted)
        case SigmaRegularExpression():
            return any(_search(wanted, form) for form in _forms(name, text, str(wanted.regexp)))
        case SigmaFieldReference():
            other = _value(event, wanted.field)
            return other is not None and _is_same(text, other, wanted)
    raise AssertionError(wanted)


def _is_text(name: str, text: str, wanted: SigmaString) -> bool:
    if not wanted.contains_special():
        plain = "".join(part for part in wanted.s if isinstance(part, str))
        if name in _FLAGS and plain.lower() in ("0", "1"):
            return text.lower() == ("true" if plain == "1" else "false")
        if name in _NUMBERS and re.fullmatch(r"-?[0-9]+", plain):
            return int(text) == int(plain)
        if name == "Protocol" and plain in ("6", "17"):
            return _lower(text) == {"6": "tcp", "17": "udp"}[plain]
        if name in _ADDRESSES and _address(plain) is not None:
            return _address(text) == _address(plain)
    literal = "".join(part for part in wanted.s if isinstance(part, str))
    return any(_is_like(form, wanted) for form in _forms(name, text, literal))


def _is_like(text: str, wanted: SigmaString) -> bool:
    cased = isinstance(wanted, SigmaCasedString)
    pattern = "".join(
        re.escape(part if cased else _lower(part)) if isinstance(part, str) else _SPECIAL[part]  # type: ignore[index]
        for part in wanted.s
    )
    return re.fullmatch(pattern, text if cased else _lower(text), re.DOTALL) is not None


def _is_in(name: str, wanted: Any, event: Event) -> bool:
    """Return whether a field's text contains a value that was given without a field."""
    text = _value(event, name)
    if text is None:
        return False
    if isinstance(wanted, SigmaExpansion):
        return any(_is_in(name, one, event) for one in wanted.values)
    if isinstance(wanted, SigmaNumber):
        wanted = SigmaString(str(wanted.number))
    if isinstance(wanted, SigmaString):
        wanted = SpecialChars.WILDCARD_MULTI + wanted + SpecialChars.WILDCARD_MULTI
    return _is(name, text, wanted, event)


def _lower(text: str) -> str:
    """Fold a text character by character: its length stays, and a final sigma is treated like any other."""
    return "".join("i" if character == "İ" else character.lower() for character in text)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, None if it is none; an IPv4 address written as IPv6 becomes IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _forms(name: str, text: str, pattern: str) -> list[str]:
    """Return the forms of an IPv6 address in logs, if a pattern can distinguish them."""
    address = _address(text) if name in _ADDRESSES and ":" in text else None
    if address is None:
        return [text]
    packed = IPv6Address(text)
    long = ":".join(group.lstrip("0") or "0" for group in packed.exploded.split(":"))
    short = f"::ffff:{address}" if isinstance(address, IPv4Address) else str(packed)
    return [short, long] if ":" in pattern else [short]


def _lies_in(text: str, wanted: SigmaCIDRExpression) -> bool:
    address, network = _address(text), wanted.network
    if address is None:
        return False
    if isinstance(network, IPv6Network) and isinstance(address, IPv4Address):
        # Within ::ffff:0:0/96 it is a network of IPv4 addresses; a wider one contains none.
        return network.prefixlen >= 96 and IPv6Address(f"::ffff:{address}") in network
    return address in network


def _search(wanted: SigmaRegularExpression, text: str) -> bool:
    flags = re.ASCII
    for flag in wanted.flags:
        flags |= wanted.sigma_to_python_flags[flag]
    return re.search(str(wanted.regexp), text, flags) is not None


def _is_same(text: str, other: str, wanted: SigmaFieldReference) -> bool:
    one, two = _lower(text), _lower(other)
    if wanted.starts_with and wanted.ends_with:
        return two in one
    if wanted.starts_with or wanted.ends_with:
        return one.startswith(two) if wanted.starts_with else one.endswith(two)
    if _address(text) is not None and _address(other) is not None:
        return _address(text) == _address(other)
    return one == two


def _part(text: str, unit: str) -> int:
    time = datetime.fromisoformat(text)
    return time.isocalendar().week if unit == "WEEK" else int(getattr(time, unit.lower()))
