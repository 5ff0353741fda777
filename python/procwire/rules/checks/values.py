"""Values that say something else than they seem to, filter by filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from procwire.rules.checks.fields import IMAGE_FIELDS, PORT_FIELDS, why_never, why_never_image
from procwire.rules.checks.implication import OPPOSITES, Atom, alternatives
from procwire.rules.checks.words import quoted, shown
from procwire.rules.conditions import matches
from procwire.rules.forms import NAMES_LOOKED_UP
from procwire.rules.manifest import TOKEN_CONDITIONS
from procwire.rules.model import NETWORK_CONNECT, Configuration, Filter, Finding, Severity

__all__ = ["check_values", "outcome"]

Told = tuple[Severity, str]
Check = Callable[[Filter], Told | None]
Why = Callable[[str, Atom], str | None]

_NUMBERS = (*PORT_FIELDS, "ProcessId")
_ADDRESSES = ("SourceIp", "DestinationIp")
_SUBSTRINGS = ("contains", "contains any", "contains all", "begin with", "end with")
_SAMPLES = ("443", "80", "22", "1024", "3389", "8080", "10000", "49152", "65535", "100", "5")
_EXACT = {"contains": "is", "contains any": "is any", "begin with": "is", "end with": "is"}


def check_values(configuration: Configuration) -> Iterator[Finding]:
    """One finding for a filter at most: the first that its checks make."""
    network_checks, other_checks = _network_checks(configuration), _other_checks(configuration)
    for element in configuration.elements:
        checks = network_checks if element.event == NETWORK_CONNECT else other_checks
        for filter in element.filters:
            told = next((told for check in checks if (told := check(filter))), None)
            if told:
                yield Finding(filter.place, *told)


def outcome(filter: Filter, configuration: Configuration) -> str | None:
    """`always` or `never`, where it is certain that a filter of event 3 always or never matches."""
    if not filter.value:
        return _of_empty(filter)
    return _judged(filter, _network_why(configuration))[0]


def _network_checks(configuration: Configuration) -> tuple[Check, ...]:
    why = _network_why(configuration)
    image = (_image_on_linux,) if _is_for_linux(configuration) else ()
    return (_empty, _empty_token, *image, _spaced_list, lambda filter: _impossible(filter, why),
            _numeric, _part_of_number, _part_of_address, _variable)  # fmt: skip


def _other_checks(configuration: Configuration) -> tuple[Check, ...]:
    image = (_image_on_linux,) if _is_for_linux(configuration) else ()
    return _empty, _empty_token, *image, _spaced_list, lambda filter: _impossible(filter, _why_of_any)


def _network_why(configuration: Configuration) -> Why:
    return why_never if configuration.dns_lookup else _why_without_look_up


def _why_without_look_up(field: str, atom: Atom) -> str | None:
    if field in NAMES_LOOKED_UP:
        return None if matches(*atom, "-") else f"DnsLookup is False, so {field} is always '-'"
    return why_never(field, atom)


def _why_of_any(field: str, atom: Atom) -> str | None:
    return why_never_image(field, atom) if field in IMAGE_FIELDS else None


# Empty values and tokens


def _empty(filter: Filter) -> Told | None:
    if filter.value:
        return None
    return "warning", (
        f"found {filter.field} {filter.condition} without a value, which {_of_empty(filter)} matches: "
        "for a field that is missing Sysmon compares '-'"
    )


def _of_empty(filter: Filter) -> str:
    return "always" if matches(filter.condition, "", "-") else "never"


def _empty_token(filter: Filter) -> Told | None:
    condition, value = filter.condition, filter.value
    if condition not in TOKEN_CONDITIONS or "" not in value.split(";"):
        return None
    if value.endswith(";") and condition in ("contains any", "excludes any"):
        result = "always" if condition == "contains any" else "never"
        return "warning", (
            f"found a ';' at the end of {shown(filter)}, which {result} matches: every text contains the empty "
            f"token behind it; write {quoted(_without_empty(value))}"
        )
    first = next(place for place, token in enumerate(value.split(";")) if not token)
    rest = ";".join(value.split(";")[first:])
    if rest and condition in ("contains all", "excludes all"):
        result = "never" if condition == "contains all" else "always"
        return "warning", (
            f"found an empty token in {shown(filter)}, which as good as {result} matches: Sysmon takes it for "
            f"{quoted(rest)}; write {quoted(_without_empty(value))}"
        )
    return "note", f"found an empty token in {shown(filter)}, which does nothing"


def _without_empty(value: str) -> str:
    return ";".join(token for token in value.split(";") if token)


def _spaced_list(filter: Filter) -> Told | None:
    """`a; b`; not ` a; b`, where the spaces look meant."""
    first, *others = filter.value.split(";")
    spaced = others and all(token[:1].isspace() for token in others)
    if filter.condition not in TOKEN_CONDITIONS or not spaced or first[:1].isspace():
        return None
    return "warning", (
        f"found white space after the ';' of {shown(filter)}, which is part of the tokens: {quoted(others[0])}; "
        "write the list without"
    )


# What never matches


def _impossible(filter: Filter, why: Why) -> Told | None:
    result, reasons = _judged(filter, why)
    if result:
        return "warning", f"found {shown(filter)}, which {result} matches: {reasons[0][1]}"
    if reasons:
        token, reason = reasons[0]
        return "warning", f"found {quoted(token)} in {shown(filter)}, which no event has: {reason}"
    return None


def _judged(filter: Filter, why: Why) -> tuple[str | None, list[tuple[str, str]]]:
    """Whether it never or always matches, and the tokens that are to blame, with the reason."""
    choices = alternatives(filter.condition, filter.value)
    reasons = [[(atom.text, reason) for atom in atoms if (reason := why(filter.field, atom))] for atoms in choices]
    flat = [told for told_of_choice in reasons for told in told_of_choice]
    if not choices or not all(reasons):
        return None, flat
    return "always" if filter.condition in OPPOSITES else "never", flat


def _image_on_linux(filter: Filter) -> Told | None:
    if filter.condition != "image" or not filter.value or re.search(r"[/\\]", filter.value):
        return None
    return "warning", (
        f"found {shown(filter)}, which never matches on Linux: image parts the path at \\ only; "
        f"write end with '/{filter.value}'"
    )


def _is_for_linux(configuration: Configuration) -> bool:
    values = [filter.value for element in configuration.elements for filter in element.filters
              if filter.field in IMAGE_FIELDS]  # fmt: skip
    unix = any(value.startswith("/") for value in values)
    return unix and not any(re.match(r"[A-Za-z]:\\", value) for value in values)


# What matches more, or else, than it seems to


def _numeric(filter: Filter) -> Told | None:
    if filter.condition not in ("less than", "more than") or filter.field not in _NUMBERS:
        return None
    if not (filter.value.isascii() and filter.value.isdecimal()):
        return "warning", f"found {shown(filter)}, expected a number, which Sysmon compares as text"
    limit = int(filter.value)
    less = filter.condition == "less than"
    for sample in _SAMPLES:
        as_number = int(sample) < limit if less else int(sample) > limit
        if matches(filter.condition, filter.value, sample) != as_number:
            return "warning", (
                f"found {shown(filter)}, which compares text: it {'matches' if not as_number else 'does not match'} "
                f"{sample}; Sysmon cannot compare numbers, list the values with is any"
            )
    return None


def _part_of_number(filter: Filter) -> Told | None:
    condition = OPPOSITES.get(filter.condition, filter.condition)
    if condition not in _SUBSTRINGS or filter.field not in _NUMBERS:
        return None
    token = filter.value.split(";")[0]
    also = f"1{token}" if condition == "end with" else f"{token}0"
    if int(also) > 0xFFFF:
        also = f"{token}0"[-5:] if condition != "begin with" else also
    negation = filter.condition != condition
    exact = _EXACT.get(condition)
    advice = f"; write {'is not' if negation else exact} {quoted(filter.value)}" if exact else ""
    return "warning", (
        f"found {shown(filter)}, which {'leaves out' if negation else 'matches'} {also} too: "
        f"it looks for a part of the number{advice}"
    )


def _part_of_address(filter: Filter) -> Told | None:
    """`begin with 10`, `contains 10.`: parts of addresses that begin, or end, inside of a number."""
    if filter.field not in _ADDRESSES:
        return None
    condition, value = OPPOSITES.get(filter.condition, filter.condition), filter.value
    if condition == "begin with" and re.fullmatch(r"[1-9]\d?", value) and int(value) < 26:
        return "warning", (
            f"found {shown(filter)}, which begins {value}0.0.0.1 too: addresses are compared as text; "
            f"write {value + '.'!r}"
        )
    return None


def _variable(filter: Filter) -> Told | None:
    variable = re.search(r"%[A-Za-z_][\w()]*%", filter.value)
    if not variable:
        return None
    return "warning", (
        f"found {variable[0]} in {shown(filter)}, which procwire compares as it stands; Sysmon on Windows puts "
        "in what the session's variable holds"
    )
