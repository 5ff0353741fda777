"""What the fields of event 3 never hold, and so no filter finds.

A reason is what is said of a comparison that can never be true: what the field holds instead, and what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address

from procwire.rules.checks.implication import Atom
from procwire.rules.conditions import matches
from procwire.rules.forms import TYPED, long_ipv6

__all__ = ["IMAGES_WITHOUT_PATH", "IMAGE_FIELDS", "PORT_FIELDS", "why_never", "why_never_image"]

PORT_FIELDS = ("SourcePort", "DestinationPort")
IMAGE_FIELDS = ("Image", "ParentImage", "SourceImage", "TargetImage")
"""Fields of any event that hold a program's full path."""

_LARGEST_PROCESS_ID = 0xFFFF_FFFF
_PORTS = "\n" + "\n".join(map(str, range(1 << 16))) + "\n"
IMAGES_WITHOUT_PATH = (
    "system",
    "registry",
    "memcompression",
    "memory compression",
    "secure system",
    "<unknown process>",
)
"""Images that are no path; the first of them makes connections: SMB's."""

Reason = str | None


def why_never(field: str, atom: Atom) -> Reason:
    """Why a field of event 3 never fulfils a comparison; None where it may."""
    if atom.text == "-" and field not in TYPED:
        return None
    if atom.kind in ("less than", "more than"):
        return _REASONS[field](atom) if field in _ENUMERATED else None
    return _spaces(field, atom) or _REASONS[field](atom)


def _spaces(field: str, atom: Atom) -> Reason:
    if not atom.text:
        return None
    inner = atom.text.strip()
    leads = atom.text[0].isspace() and atom.kind in ("is", "image", "begin with")
    trails = atom.text[-1].isspace() and atom.kind in ("is", "image", "end with")
    if not leads and not trails:
        return None
    if not inner:
        return f"{field} neither begins nor ends with white space"
    place = "around" if leads and trails else "before" if leads else "after"
    return f"the white space {place} it counts, and {field} has none there; write '{inner}'"


def _one_of(*texts: str) -> Callable[[Atom], Reason]:
    def reason(atom: Atom) -> Reason:
        if any(matches(atom.kind, atom.text, text) for text in (*texts, "-")):
            return None
        return f"it holds {' or '.join(texts)}"

    return reason


def _rule_name(atom: Atom) -> Reason:
    return None if matches(atom.kind, atom.text, "-") else "while rules are asked RuleName is still '-'"


def _port(atom: Atom) -> Reason:
    before = "\n" if atom.kind in ("is", "begin with", "image") else ""
    after = "\n" if atom.kind in ("is", "end with", "image") else ""
    if before + atom.text + after in _PORTS:
        return None
    return f"ports are numbers from 0 to 65535, without leading zeros{_list_hint(atom)}"


def _process_id(atom: Atom) -> Reason:
    whole = r"0|[1-9]\d{0,9}" if atom.kind in ("is", "image") else r"\d{0,10}"
    if re.fullmatch(whole, atom.text, re.ASCII) and int(atom.text or 0) <= _LARGEST_PROCESS_ID:
        return None
    return f"process ids are decimal numbers, without leading zeros{_list_hint(atom)}"


def _time(atom: Atom) -> Reason:
    whole = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
    return _form(atom, whole, r"[\d :.-]*", "times are written as 2018-04-11 05:29:35.394")


def _guid(atom: Atom) -> Reason:
    whole = r"\{[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\}"
    return _form(atom, whole, r"\{?[\da-f-]*\}?", "GUIDs are written as {A98268C1-957F-5ACD-0000-0010EB030000}")


def _form(atom: Atom, whole: str, part: str, reason: str) -> Reason:
    return None if re.fullmatch(whole if atom.kind in ("is", "image") else part, atom.text, re.ASCII) else reason


def _address(atom: Atom) -> Reason:
    kind, text = atom
    if "*" in text:
        return f"Sysmon has no wildcards; write {_without_wildcards(text)}"
    if "/" in text:
        return f"addresses are compared as text, without ranges{_range_hint(text)}"
    if re.search(r"[^\da-f.:]", text):
        return f"addresses hold digits, dots and colons{_list_hint(atom)}"
    if "::" in text:
        return f"IPv6 addresses are compared in eight groups, without '::'{_long_hint(text)}"
    if ":" in text and (bare := _without_zeros(atom)) != text:
        return f"IPv6 groups are compared without leading zeros; write '{bare}'"
    if kind in ("is", "image") and not _is_address(text):
        return f"addresses are compared whole; write begin with '{text}', if it is the first part of one"
    return None


def _is_address(text: str) -> bool:
    try:
        return bool(IPv6Address(text) if ":" in text else IPv4Address(text))
    except AddressValueError:
        return False


def _without_zeros(atom: Atom) -> str:
    # What begins a part of an address may stand inside of a group.
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


def _host(atom: Atom) -> Reason:
    if "*" in atom.text:
        return f"Sysmon has no wildcards; write {_without_wildcards(atom.text)}"
    if re.search(r"[/\\,;\s]", atom.text):
        return f"a host name has no URL, path or space in it{_list_hint(atom)}"
    return None


def _port_name(atom: Atom) -> Reason:
    if atom.kind == "is" and atom.text.isdecimal():
        return "it holds a service's name, such as https; ask SourcePort or DestinationPort for the number"
    return None


def _user(atom: Atom) -> Reason:
    if atom.kind == "is" and atom.text in ("system", "local service", "network service"):
        return f"on Windows it holds DOMAIN\\name; write 'NT AUTHORITY\\{atom.text.upper()}'"
    return None


def why_never_image(field: str, atom: Atom) -> Reason:
    """Why the full path of a program, in this field of any event, never fulfils a comparison; None where it may."""
    if atom.text == "-" or atom.kind in ("less than", "more than"):
        return None
    return _spaces(field, atom) or _image(atom)


def _image(atom: Atom) -> Reason:
    kind, text = atom
    if text.startswith("/") or text in IMAGES_WITHOUT_PATH:
        return None
    if "*" in text:
        return f"Sysmon has no wildcards; write {_without_wildcards(text)}"
    if '"' in text:
        return "a path has no quotes; write it without"
    if kind == "image" and "/" in text:
        return "image compares what follows the last \\, which has no '/'"
    if kind == "is":
        return _whole_path(text)
    if kind == "begin with" and not re.match(r"([a-z](:|$)|[\\<%])", text):
        return (
            None if any(name.startswith(text) for name in IMAGES_WITHOUT_PATH) else "a path begins with a drive or a \\"
        )
    return None


def _whole_path(text: str) -> Reason:
    if "\\" not in text and "/" not in text:
        # Linux may leave a program's bare name where its path is unknown: that is `traps.without_path`'s.
        return f"it holds the full path; write image '{text}'" if "." in text else None
    if text.endswith("\\"):
        return f"it holds the path of a program, not of a folder; write begin with '{text}'"
    if not re.match(r"[a-z]:|\\|%", text):
        return f"the full path is compared; write end with '\\{text}'"
    return None


def _without_wildcards(text: str) -> str:
    parts = [part for part in text.split("*") if part]
    if len(parts) != 1:
        return f"contains all '{';'.join(parts)}'" if parts else "no filter at all"
    if text.endswith("*"):
        return f"{'contains' if text.startswith('*') else 'begin with'} '{parts[0]}'"
    return f"end with '{parts[0]}'"


def _list_hint(atom: Atom) -> str:
    for mark in ";,":
        if mark in atom.text and atom.kind == "is":
            return f"; for a list write is any '{atom.text.replace(mark, ';')}'"
    return ""


_ENUMERATED = ("RuleName", "Protocol", "Initiated", "SourceIsIpv6", "DestinationIsIpv6")
"""Fields of which every text is known."""

_FLAG = _one_of("true", "false")

_REASONS: Mapping[str, Callable[[Atom], Reason]] = {
    "RuleName": _rule_name,
    "UtcTime": _time,
    "ProcessGuid": _guid,
    "ProcessId": _process_id,
    "Image": _image,
    "User": _user,
    "Protocol": _one_of("tcp", "udp"),
    "Initiated": _FLAG,
    "SourceIsIpv6": _FLAG,
    "SourceIp": _address,
    "SourceHostname": _host,
    "SourcePort": _port,
    "SourcePortName": _port_name,
    "DestinationIsIpv6": _FLAG,
    "DestinationIp": _address,
    "DestinationHostname": _host,
    "DestinationPort": _port,
    "DestinationPortName": _port_name,
}
