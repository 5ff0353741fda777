"""Explain what the fields of event 3 never hold, and so no filter finds.

A reason is what is said of a comparison that can never be true: what the field holds instead, and what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from procwire.sysmon.atoms import Atom
from procwire.sysmon.checks.addresses import why_never_address
from procwire.sysmon.checks.paths import why_never_path
from procwire.sysmon.checks.reasons import Reason, list_hint, spaces, without_wildcards
from procwire.sysmon.conditions import matches
from procwire.sysmon.forms import TYPED

__all__ = ["PORT_FIELDS", "why_never"]

PORT_FIELDS = ("SourcePort", "DestinationPort")

_LARGEST_PROCESS_ID = 0xFFFF_FFFF
_PORTS = "\n" + "\n".join(map(str, range(1 << 16))) + "\n"


def why_never(field: str, atom: Atom) -> Reason:
    """Explain why a field of event 3 never fulfils a comparison; None where it may."""
    if atom.text == "-" and field not in TYPED:
        return None
    if atom.kind in ("less than", "more than"):
        return _REASONS[field](atom) if field in _ENUMERATED else None
    return spaces(field, atom) or _REASONS[field](atom)


def _one_of(*texts: str) -> Callable[[Atom], Reason]:
    def reason(atom: Atom) -> Reason:
        if any(matches(atom.kind, atom.text, text) for text in (*texts, "-")):
            return None
        return f"it holds {' or '.join(texts)}"

    return reason


def _rule_name(atom: Atom) -> Reason:
    return None if matches(atom.kind, atom.text, "-") else "while rules are evaluated RuleName is still '-'"


def _port(atom: Atom) -> Reason:
    before = "\n" if atom.kind in ("is", "begin with", "image") else ""
    after = "\n" if atom.kind in ("is", "end with", "image") else ""
    if before + atom.text + after in _PORTS:
        return None
    return f"ports are numbers from 0 to 65535, without leading zeros{list_hint(atom)}"


def _process_id(atom: Atom) -> Reason:
    whole = r"0|[1-9]\d{0,9}" if atom.kind in ("is", "image") else r"\d{0,10}"
    if re.fullmatch(whole, atom.text, re.ASCII) and int(atom.text or 0) <= _LARGEST_PROCESS_ID:
        return None
    return f"process ids are decimal numbers, without leading zeros{list_hint(atom)}"


def _time(atom: Atom) -> Reason:
    whole = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
    return _form(atom, whole, r"[\d :.-]*", "times are written as 2018-04-11 05:29:35.394")


def _guid(atom: Atom) -> Reason:
    whole = r"\{[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\}"
    return _form(atom, whole, r"\{?[\da-f-]*\}?", "GUIDs are written as {A98268C1-957F-5ACD-0000-0010EB030000}")


def _form(atom: Atom, whole: str, part: str, reason: str) -> Reason:
    return None if re.fullmatch(whole if atom.kind in ("is", "image") else part, atom.text, re.ASCII) else reason


def _host(atom: Atom) -> Reason:
    if "*" in atom.text:
        return f"Sysmon has no wildcards; write {without_wildcards(atom.text)}"
    if re.search(r"[/\\,;\s]", atom.text):
        return f"a host name has no URL, path or space in it{list_hint(atom)}"
    return None


def _port_name(atom: Atom) -> Reason:
    if atom.kind == "is" and atom.text.isdecimal():
        return "it holds a service's name, such as https; ask SourcePort or DestinationPort for the number"
    return None


def _user(atom: Atom) -> Reason:
    if atom.kind == "is" and atom.text in ("system", "local service", "network service"):
        return f"on Windows it holds DOMAIN\\name; write 'NT AUTHORITY\\{atom.text.upper()}'"
    return None


_ENUMERATED = ("RuleName", "Protocol", "Initiated", "SourceIsIpv6", "DestinationIsIpv6")
"""Fields of which every text is known."""

_FLAG = _one_of("true", "false")

_REASONS: Mapping[str, Callable[[Atom], Reason]] = {
    "RuleName": _rule_name,
    "UtcTime": _time,
    "ProcessGuid": _guid,
    "ProcessId": _process_id,
    "Image": why_never_path,
    "User": _user,
    "Protocol": _one_of("tcp", "udp"),
    "Initiated": _FLAG,
    "SourceIsIpv6": _FLAG,
    "SourceIp": why_never_address,
    "SourceHostname": _host,
    "SourcePort": _port,
    "SourcePortName": _port_name,
    "DestinationIsIpv6": _FLAG,
    "DestinationIp": why_never_address,
    "DestinationHostname": _host,
    "DestinationPort": _port,
    "DestinationPortName": _port_name,
}
