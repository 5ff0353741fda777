"""Find values of event 3 that match more than they seem to, or something else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from procwire.matching.folding import fold
from procwire.sysmon.checks.fields import PORT_FIELDS
from procwire.sysmon.checks.paths import IMAGE_FIELDS, IMAGES_WITHOUT_PATH
from procwire.sysmon.checks.verdicts import FilterVerdict
from procwire.sysmon.checks.words import quoted, shown
from procwire.sysmon.conditions import OPPOSITES, matches
from procwire.sysmon.manifest import TOKEN_CONDITIONS
from procwire.sysmon.model import Configuration, Filter

__all__ = [
    "image_on_linux",
    "is_for_linux",
    "numeric",
    "part_of_address",
    "part_of_number",
    "spaced_list",
    "variable",
    "without_path",
]

_LARGEST = {**dict.fromkeys(PORT_FIELDS, 0xFFFF), "ProcessId": 0xFFFF_FFFF}
_ADDRESSES = ("SourceIp", "DestinationIp")
_SAMPLES = ("443", "80", "22", "1024", "3389", "8080", "10000", "49152", "65535", "100", "5")
_WHOLE = {"contains": "is", "begin with": "is", "end with": "is", "contains any": "is any"}
"""Maps conditions on a part of the text to those on the complete text."""


def spaced_list(filter_: Filter) -> FilterVerdict | None:
    """Find spaces after `;`, as in `a; b`; not in ` a; b`, where they seem intended."""
    first, *others = filter_.value.split(";")
    spaced = others and all(token[:1].isspace() for token in others)
    if filter_.condition not in TOKEN_CONDITIONS or not spaced or first[:1].isspace():
        return None
    text = f"found white space after the ';' of {shown(filter_)}, which counts: a token is {quoted(others[0])}"
    return FilterVerdict("warning", f"{text}; write the list without")


def is_for_linux(configuration: Configuration) -> bool:
    """Return whether the paths of programs are Linux's."""
    every = (filter_ for element in configuration.elements for filter_ in element.filters)
    values = [filter_.value for filter_ in every if filter_.field in IMAGE_FIELDS]
    windows = any(re.match(r"[A-Za-z]:\\", value) for value in values)
    return not windows and any(value.startswith("/") for value in values)


def image_on_linux(filter_: Filter) -> FilterVerdict | None:
    """Find the condition `image` with a name, as in `image wget`: it never matches on Linux."""
    if filter_.condition != "image" or not filter_.value or re.search(r"[/\\]", filter_.value):
        return None
    reason = f"image parts a path at \\ only; write end with '/{filter_.value}'"
    return FilterVerdict("warning", f"found {shown(filter_)}, which never matches on Linux: {reason}", None, reason)


def without_path(filter_: Filter) -> FilterVerdict | None:
    """Find `is wget`: like `paths.why_never_image` for `is wget.exe`, but for names that Linux may have."""
    if filter_.field not in IMAGE_FIELDS or OPPOSITES.get(filter_.condition, filter_.condition) != "is":
        return None
    if not re.fullmatch(r"[\w+-]{2,}", filter_.value) or fold(filter_.value) in IMAGES_WITHOUT_PATH:
        return None
    negation = "not " if filter_.condition in OPPOSITES else ""
    text = f"found {shown(filter_)}, expected a full path; write {negation}end with '\\{filter_.value}.exe'"
    return FilterVerdict("warning", f"{text}, on Linux '/{filter_.value}'")


def numeric(filter_: Filter) -> FilterVerdict | None:
    """Find numbers that are compared as text, as in `less than 1024`."""
    if filter_.condition not in ("less than", "more than") or filter_.field not in _LARGEST:
        return None
    if not re.fullmatch(r"\d{1,10}", filter_.value, re.ASCII):
        return FilterVerdict("warning", f"found {shown(filter_)}, expected a number, and even that is compared as text")
    limit, less = int(filter_.value), filter_.condition == "less than"
    wanted = {sample for sample in _SAMPLES if (int(sample) < limit if less else int(sample) > limit)}
    matched = {sample for sample in _SAMPLES if matches(filter_.condition, filter_.value, sample)}
    wrong = [f"it {verb} {_first(samples)}" for verb, samples in
             (("matches", matched - wanted), ("does not match", wanted - matched)) if samples]  # fmt: skip
    if not wrong:
        return None
    text = f"found {shown(filter_)}, which compares text and not numbers: {' and '.join(wrong)}"
    return FilterVerdict("warning", f"{text}; list the numbers with is any")


def _first(samples: Iterable[str]) -> str:
    return min(samples, key=_SAMPLES.index)


def part_of_number(filter_: Filter) -> FilterVerdict | None:
    """Find parts of numbers, as in `contains any 443;80` on ports."""
    condition = OPPOSITES.get(filter_.condition, filter_.condition)
    if filter_.field not in _LARGEST or condition not in (*_WHOLE, "contains all"):
        return None
    tokens = filter_.value.split(";") if condition in TOKEN_CONDITIONS else [filter_.value]
    larger = (number for token in tokens for digit in "0123456789" for number in (token + digit, digit + token))
    also = (number for number in larger if number[0] != "0" and int(number) <= _LARGEST[filter_.field])
    found = next(
        (number for number in also if matches(condition, filter_.value, number) and number not in tokens), None
    )
    if found is None:
        return None
    does = "matches" if condition == filter_.condition else "leaves out"
    text = f"found {shown(filter_)}, which also {does} {found}: it searches for part of the number"
    return FilterVerdict("warning", text + _whole_number(filter_, condition, tokens))


def _whole_number(filter_: Filter, condition: str, tokens: list[str]) -> str:
    if condition not in _WHOLE:
        return ""
    if condition == filter_.condition:
        return f"; write {_WHOLE[condition]} {quoted(filter_.value)}"
    if len(tokens) == 1:
        return f"; write is not {quoted(filter_.value)}"
    return '; write is not for each in a <Rule groupRelation="and">'


def part_of_address(filter_: Filter) -> FilterVerdict | None:
    """Find parts of addresses, as in `begin with 10`."""
    condition, value = OPPOSITES.get(filter_.condition, filter_.condition), filter_.value
    if filter_.field not in _ADDRESSES or condition != "begin with":
        return None
    if not re.fullmatch(r"[1-9]\d?", value) or int(value) > 25:
        return None
    does = "matches" if condition == filter_.condition else "leaves out"
    text = f"found {shown(filter_)}, which also {does} {value}0.0.0.1: addresses are compared as text"
    return FilterVerdict("warning", f"{text}; write {filter_.condition} '{value}.'")


def variable(filter_: Filter) -> FilterVerdict | None:
    """Find environment variables, as in `%TEMP%`."""
    found = re.search(r"%[A-Za-z_][\w()]*%", filter_.value)
    if not found:
        return None
    text = f"found {found[0]} in {shown(filter_)}, which procwire compares as it stands"
    return FilterVerdict("warning", f"{text}; Sysmon on Windows puts in what the session's variable holds")
