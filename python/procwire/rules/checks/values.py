"""Values that say something else than they seem to, filter by filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from procwire.rules.checks.fields import IMAGE_FIELDS, PORT_FIELDS, why_never, why_never_image
from procwire.rules.checks.implication import OPPOSITES, Atom, alternatives
from procwire.rules.checks.words import lines, quoted, shown
from procwire.rules.conditions import fold, matches
from procwire.rules.forms import NAMES_LOOKED_UP
from procwire.rules.manifest import TOKEN_CONDITIONS
from procwire.rules.model import NETWORK_CONNECT, Configuration, Filter, Finding, Severity

__all__ = ["check_values", "outcome"]


class Told(NamedTuple):
    """What there is to say of a filter."""

    severity: Severity
    text: str
    reason: str = ""
    """Why it never, or always, matches: with what it shares a reason, it shares a finding."""


Check = Callable[[Filter], Told | None]
Why = Callable[[str, Atom], str | None]

_MOST_ALIKE = 3
_NUMBERS = (*PORT_FIELDS, "ProcessId")
_ADDRESSES = ("SourceIp", "DestinationIp")
_SUBSTRINGS = ("contains", "contains any", "contains all", "begin with", "end with")
_SAMPLES = ("443", "80", "22", "1024", "3389", "8080", "10000", "49152", "65535", "100", "5")
_EXACT = {"contains": "is", "contains any": "is any", "begin with": "is", "end with": "is"}


def check_values(configuration: Configuration) -> Iterator[Finding]:
    """One finding for a filter at most: the first that its checks make. Many of an element for one reason are one."""
    network_checks, other_checks = _network_checks(configuration), _other_checks(configuration)
    for element in configuration.elements:
        checks = network_checks if element.event == NETWORK_CONNECT else other_checks
        alike: dict[Hashable, list[tuple[Filter, Told]]] = {}
        for filter_ in element.filters:
            told = next((told for check in checks if (told := check(filter_))), None)
            if told:
                alike.setdefault(_kind(filter_, told) if told.reason else filter_.place, []).append((filter_, told))
        for told_of in alike.values():
            yield from _findings(told_of)


def _kind(filter_: Filter, told: Told) -> Hashable:
    return filter_.field, filter_.condition, told.reason.partition(";")[0]


def _findings(told_of: list[tuple[Filter, Told]]) -> Iterator[Finding]:
    if len(told_of) <= _MOST_ALIKE:
        yield from (Finding(filter_.place, told.severity, told.text) for filter_, told in told_of)
        return
    (filter_, told), *others = told_of
    rest = lines(other.place.line for other, _ in others)
    yield Finding(filter_.place, told.severity, f"{told.text}; likewise {len(others)} more, {rest}")


def outcome(filter_: Filter, configuration: Configuration) -> str | None:
    """`always` or `never`, where it is certain that a filter of event 3 always or never matches."""
    if not filter_.value:
        return _of_empty(filter_)
    return _judged(filter_, _network_why(configuration))[0]


def _network_checks(configuration: Configuration) -> tuple[Check, ...]:
    why = _network_why(configuration)
    image = (_image_on_linux,) if _is_for_linux(configuration) else ()
    return (_empty, _empty_token, *image, _spaced_list, lambda filter_: _impossible(filter_, why),
            _numeric, _part_of_number, _part_of_address, _variable)  # fmt: skip


def _other_checks(configuration: Configuration) -> tuple[Check, ...]:
    image = (_image_on_linux,) if _is_for_linux(configuration) else ()
    return _empty, _empty_token, *image, _spaced_list, lambda filter_: _impossible(filter_, _why_of_any)


def _network_why(configuration: Configuration) -> Why:
    return why_never if configuration.dns_lookup else _why_without_look_up


def _why_without_look_up(field: str, atom: Atom) -> str | None:
    if field in NAMES_LOOKED_UP:
        return (
            None
            if matches(*atom, "-")
            else f"DnsLookup is False, so {field} is always '-'; write True, or leave it out"
        )
    return why_never(field, atom)


def _why_of_any(field: str, atom: Atom) -> str | None:
    return why_never_image(field, atom) if field in IMAGE_FIELDS else None


# Empty values and tokens


def _empty(filter_: Filter) -> Told | None:
    if filter_.value:
        return None
    return Told(
        "warning",
        f"found {filter_.field} {filter_.condition} without a value, which {_of_empty(filter_)} matches: "
        "for a field that is missing Sysmon compares '-'",
    )


def _of_empty(filter_: Filter) -> str:
    return "always" if matches(filter_.condition, "", "-") else "never"


def _empty_token(filter_: Filter) -> Told | None:
    condition, value = filter_.condition, filter_.value
    if condition not in TOKEN_CONDITIONS or "" not in value.split(";"):
        return None
    if value.endswith(";") and condition in ("contains any", "excludes any"):
        result = "always" if condition == "contains any" else "never"
        return Told(
            "warning",
            f"found a ';' at the end of {shown(filter_)}, which {result} matches: every text contains the empty "
            f"token behind it; write {quoted(_without_empty(value))}",
        )
    first = next(place for place, token in enumerate(value.split(";")) if not token)
    rest = ";".join(value.split(";")[first:])
    if rest and condition in ("contains all", "excludes all"):
        result = "never" if condition == "contains all" else "always"
        return Told(
            "warning",
            f"found an empty token in {shown(filter_)}, which as good as {result} matches: Sysmon takes it for "
            f"{quoted(rest)}; write {quoted(_without_empty(value))}",
        )
    return Told("note", f"found an empty token in {shown(filter_)}, which does nothing")


def _without_empty(value: str) -> str:
    return ";".join(token for token in value.split(";") if token)


def _spaced_list(filter_: Filter) -> Told | None:
    """`a; b`; not ` a; b`, where the spaces look meant."""
    first, *others = filter_.value.split(";")
    spaced = others and all(token[:1].isspace() for token in others)
    if filter_.condition not in TOKEN_CONDITIONS or not spaced or first[:1].isspace():
        return None
    return Told(
        "warning",
        f"found white space after the ';' of {shown(filter_)}, which is part of the tokens: {quoted(others[0])}; "
        "write the list without",
    )


# What never matches


def _impossible(filter_: Filter, why: Why) -> Told | None:
    result, reasons = _judged(filter_, why)
    if not reasons:
        return None
    token, reason = reasons[0]
    reason = _as_written(reason, token, filter_)
    if result:
        return Told("warning", f"found {shown(filter_)}, which {result} matches: {reason}", reason)
    return Told("warning", f"found {quoted(token)} in {shown(filter_)}, which no event has: {reason}")


def _as_written(reason: str, token: str, filter_: Filter) -> str:
    """A reason with its advice in the letters of the file, and for a negative condition negative too."""
    start = fold(filter_.value).find(token.strip())
    reason = reason.replace(token.strip(), filter_.value[start : start + len(token.strip())])
    if filter_.condition in OPPOSITES:
        reason = re.sub(r"; for a list write .*", "", reason)
        reason = re.sub(r"write image '([^']*)'.*", r"write not end with '\\\1'", reason)
        reason = re.sub(r"write (begin|end) with", r"write not \1 with", reason)
    return reason


def _judged(filter_: Filter, why: Why) -> tuple[str | None, list[tuple[str, str]]]:
    """Whether it never or always matches, and the tokens that are to blame, with the reason."""
    choices = alternatives(filter_.condition, filter_.value)
    reasons = [[(atom.text, reason) for atom in atoms if (reason := why(filter_.field, atom))] for atoms in choices]
    flat = [told for told_of_choice in reasons for told in told_of_choice]
    if not choices or not all(reasons):
        return None, flat
    return "always" if filter_.condition in OPPOSITES else "never", flat


def _image_on_linux(filter_: Filter) -> Told | None:
    if filter_.condition != "image" or not filter_.value or re.search(r"[/\\]", filter_.value):
        return None
    return Told(
        "warning",
        f"found {shown(filter_)}, which never matches on Linux: image parts the path at \\ only; "
        f"write end with '/{filter_.value}'",
    )


def _is_for_linux(configuration: Configuration) -> bool:
    values = [filter_.value for element in configuration.elements for filter_ in element.filters
              if filter_.field in IMAGE_FIELDS]  # fmt: skip
    unix = any(value.startswith("/") for value in values)
    return unix and not any(re.match(r"[A-Za-z]:\\", value) for value in values)


# What matches more, or else, than it seems to


def _numeric(filter_: Filter) -> Told | None:
    if filter_.condition not in ("less than", "more than") or filter_.field not in _NUMBERS:
        return None
    if not (filter_.value.isascii() and filter_.value.isdecimal()):
        return Told("warning", f"found {shown(filter_)}, expected a number, which Sysmon compares as text")
    limit = int(filter_.value)
    less = filter_.condition == "less than"
    for sample in _SAMPLES:
        as_number = int(sample) < limit if less else int(sample) > limit
        if matches(filter_.condition, filter_.value, sample) != as_number:
            return Told(
                "warning",
                f"found {shown(filter_)}, which compares text: it {'matches' if not as_number else 'does not match'} "
                f"{sample}; Sysmon cannot compare numbers, list the values with is any",
            )
    return None


def _part_of_number(filter_: Filter) -> Told | None:
    condition = OPPOSITES.get(filter_.condition, filter_.condition)
    if condition not in _SUBSTRINGS or filter_.field not in _NUMBERS:
        return None
    token = filter_.value.split(";")[0]
    also = f"1{token}" if condition == "end with" else f"{token}0"
    if int(also) > 0xFFFF:
        also = f"{token}0"[-5:] if condition != "begin with" else also
    negation = filter_.condition != condition
    exact = _EXACT.get(condition)
    advice = f"; write {'is not' if negation else exact} {quoted(filter_.value)}" if exact else ""
    return Told(
        "warning",
        f"found {shown(filter_)}, which {'leaves out' if negation else 'matches'} {also} too: "
        f"it looks for a part of the number{advice}",
    )


def _part_of_address(filter_: Filter) -> Told | None:
    """`begin with 10`, `contains 10.`: parts of addresses that begin, or end, inside of a number."""
    if filter_.field not in _ADDRESSES:
        return None
    condition, value = OPPOSITES.get(filter_.condition, filter_.condition), filter_.value
    if condition == "begin with" and re.fullmatch(r"[1-9]\d?", value) and int(value) < 26:
        return Told(
            "warning",
            f"found {shown(filter_)}, which begins {value}0.0.0.1 too: addresses are compared as text; "
            f"write {value + '.'!r}",
        )
    return None


def _variable(filter_: Filter) -> Told | None:
    variable = re.search(r"%[A-Za-z_][\w()]*%", filter_.value)
    if not variable:
        return None
    return Told(
        "warning",
        f"found {variable[0]} in {shown(filter_)}, which procwire compares as it stands; Sysmon on Windows puts "
        "in what the session's variable holds",
    )
