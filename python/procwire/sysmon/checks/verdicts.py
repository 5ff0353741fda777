"""Find filters that never match, or always, for any event."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from procwire.matching.folding import fold
from procwire.sysmon.atoms import Atom
from procwire.sysmon.checks.fields import why_never
from procwire.sysmon.checks.implication import alternatives
from procwire.sysmon.checks.paths import IMAGE_FIELDS, why_never_image
from procwire.sysmon.checks.words import quoted, shown
from procwire.sysmon.conditions import OPPOSITES, matches
from procwire.sysmon.forms import NAMES_LOOKED_UP
from procwire.sysmon.manifest import TOKEN_CONDITIONS
from procwire.sysmon.model import Configuration, Filter, Severity

__all__ = ["FilterVerdict", "Why", "empty_token", "empty_value", "impossible", "outcome", "why_of", "why_of_any"]

Why = Callable[[str, Atom], str | None]
"""Returns why a field never fulfils a comparison; None if it may."""


class FilterVerdict(NamedTuple):
    """Hold a check's verdict about a filter."""

    severity: Severity
    text: str
    outcome: str | None = None
    """`never` or `always` if it never or always matches, else None."""
    reason: str = ""
    """The reason; filters of an element that share a reason share a finding."""


def outcome(filter_: Filter, configuration: Configuration) -> str | None:
    """Return `never` or `always` if a filter of event 3 (almost) certainly never or always matches, else None."""
    verdict = empty_value(filter_) or empty_token(filter_)
    return (verdict.outcome if verdict else None) or _judged(filter_, why_of(configuration))[0]


def why_of(configuration: Configuration) -> Why:
    """Return the function that explains why fields of event 3 never fulfil a comparison."""
    return why_never if configuration.dns_lookup else _why_without_look_up


def _why_without_look_up(field: str, atom: Atom) -> str | None:
    if field not in NAMES_LOOKED_UP:
        return why_never(field, atom)
    return None if matches(*atom, "-") else f"DnsLookup is False, so {field} is always '-'; write True, or leave it out"


def why_of_any(field: str, atom: Atom) -> str | None:
    """Return why a field of any event never fulfils a comparison, None if it may: only program paths are known."""
    return why_never_image(field, atom) if field in IMAGE_FIELDS else None


def empty_value(filter_: Filter) -> FilterVerdict | None:
    """Find a condition without a value, as in `is` or `contains`."""
    if filter_.value:
        return None
    result = "always" if matches(filter_.condition, "", "-") else "never"
    text = f"found {shown(filter_)}, which {result} matches: no text is empty, what is missing is compared as '-'"
    return FilterVerdict("warning", text, result)


def empty_token(filter_: Filter) -> FilterVerdict | None:
    """Find an empty token: a `;` at the end, at the beginning, or two in a row."""
    condition, value = filter_.condition, filter_.value
    if not value or condition not in TOKEN_CONDITIONS or "" not in value.split(";"):
        return None
    better = quoted(";".join(token for token in value.split(";") if token))
    if value.endswith(";") and condition in ("contains any", "excludes any"):
        result = "always" if condition == "contains any" else "never"
        why = "every text contains the empty token behind it"
        text = f"found a ';' at the end of {shown(filter_)}, which {result} matches: {why}; write {better}"
        return FilterVerdict("warning", text, result)
    tokens = value.split(";")
    rest = ";".join(tokens[tokens.index("") :])
    if rest.strip(";") and condition in ("contains all", "excludes all"):
        result = "never" if condition == "contains all" else "always"
        why = f"Sysmon takes it for {quoted(rest)}"
        text = f"found an empty token in {shown(filter_)}, which as good as {result} matches: {why}; write {better}"
        return FilterVerdict("warning", text, result)
    return FilterVerdict("note", f"found an empty token in {shown(filter_)}, which does nothing")


def impossible(filter_: Filter, why: Why) -> FilterVerdict | None:
    """Find a value, or a token, that the field never has."""
    result, reasons = _judged(filter_, why)
    if not reasons:
        return None
    token, reason = reasons[0]
    reason = _as_written(reason, filter_)
    if result:
        return FilterVerdict("warning", f"found {shown(filter_)}, which {result} matches: {reason}", result, reason)
    text = f"found the token {quoted(token)} in {shown(filter_)}, which no event has: {reason}"
    return FilterVerdict("warning", text)


def _judged(filter_: Filter, why: Why) -> tuple[str | None, list[tuple[str, str]]]:
    """Return whether it never or always matches (None if neither), and the responsible tokens with their reasons."""
    choices = alternatives(filter_.condition, filter_.value)
    reasons = [[(atom.text, reason) for atom in atoms if (reason := why(filter_.field, atom))] for atoms in choices]
    flat = [token for of_choice in reasons for token in of_choice]
    if not choices or not all(reasons):
        return None, flat
    return "always" if filter_.condition in OPPOSITES else "never", flat


def _as_written(reason: str, filter_: Filter) -> str:
    """Return a reason whose advice has the file's spelling, and is negative for a negative condition."""
    folded = fold(filter_.value)

    def restored(piece: str) -> str:
        added = piece[:1] if piece[:1] in ("\\", "/") and piece not in folded else ""
        start = folded.find(piece[len(added) :])
        return added + filter_.value[start : start + len(piece) - len(added)] if start >= 0 else piece

    reason = re.sub(r"'([^']+)'", lambda quote: f"'{';'.join(map(restored, quote[1].split(';')))}'", reason)
    if filter_.condition in OPPOSITES:
        reason = re.sub(r"; for a list write .*", "", reason)
        reason = re.sub(r"write image '([^']*)'.*", r"write not end with '\\\1'", reason)
        reason = re.sub(r"write (begin|end) with", r"write not \1 with", reason)
        reason = reason.replace("write contains all", "write excludes all").replace("write contains", "write excludes")
    return reason
