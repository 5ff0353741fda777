r"""Parse a described event: `Image=C:\a.exe,DestinationPort=443`."""

from __future__ import annotations

import re

from procwire.errors import UsageError
from procwire.event import field, fields
from procwire.matching.rendering import long_ipv6
from procwire.sysmon.forms import COLUMNS, TYPED

__all__ = ["given_texts"]

_EXPECTED = "expected FIELD=VALUE,... such as Image=C:\\a.exe,DestinationPort=443"
_FLAGS = ("Initiated", "SourceIsIpv6", "DestinationIsIpv6")
# A comma separates only if a name follows: paths and rule names also have commas.
_PARTS = re.compile(r",(?=\s*\w+\s*=)")


def given_texts(*texts: str) -> dict[str, str]:
    """Return Sysmon's text of each described field, by Sysmon's name; the texts may also use the standard names.

    Raises UsageError for a name that event 3 does not have, a value that its field cannot have, and a repeated field.
    """
    given: dict[str, str] = {}
    for part in (part for text in texts for part in _PARTS.split(text)):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"found {part!r}, {_EXPECTED}")
        sysmon_name = _sysmon_name(name.strip())
        if sysmon_name in given:
            raise UsageError(
                f"found {sysmon_name} twice, {given[sysmon_name]!r} and {value!r}, expected each field once"
            )
        given[sysmon_name] = _text(sysmon_name, value)
    return given


def _sysmon_name(name: str) -> str:
    if name == "RuleName":
        raise UsageError("found RuleName, expected another field: while rules are evaluated there is no name yet")
    if name in COLUMNS:
        return name
    if name[:1].islower():
        return field(name, "ossem", fields("event")).sysmon
    return field(name, "sysmon", fields("event")).sysmon


def _text(name: str, value: str) -> str:
    if name in _FLAGS:
        if value.lower() not in ("true", "false"):
            raise UsageError(f"found {name}={value}, expected true or false")
        return value.lower()
    if name in TYPED and name != "ProcessGuid":
        if not re.fullmatch(r"\d{1,10}", value):
            raise UsageError(f"found {name}={value}, expected a number")
        return str(int(value))
    return long_ipv6(value) or "-"
