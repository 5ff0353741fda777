"""Decide when one filter says all that another says: sound, and complete enough for what people write.

A filter is split into atoms (`rules.atoms`), which know what they imply, and what they rule out. A negative condition
is the opposite of its positive.
"""

from __future__ import annotations

from functools import lru_cache

from procwire.sysmon import atoms
from procwire.sysmon.atoms import Alternatives, Atom
from procwire.sysmon.conditions import OPPOSITES, matches
from procwire.sysmon.model import Filter

__all__ = ["alternatives", "contradicts", "covered_by", "fills", "implies", "never_both"]


def implies(one: Filter, other: Filter) -> bool:
    """Return whether `other` matches every event that `one` matches; False where that is not certain."""
    if one.field != other.field:
        return False
    negative, other_negative = one.condition in OPPOSITES, other.condition in OPPOSITES
    if not negative:
        return _excludes(_of(one), _of(other)) if other_negative else covered_by(_of(one), _of(other))
    return other_negative and covered_by(_of(other), _of(one))


def contradicts(one: Filter, other: Filter) -> bool:
    """Return whether no event is matched by both; False where that is not certain."""
    if one.field != other.field:
        return False
    negative, other_negative = one.condition in OPPOSITES, other.condition in OPPOSITES
    if negative:
        return not other_negative and covered_by(_of(other), _of(one))
    return covered_by(_of(one), _of(other)) if other_negative else _excludes(_of(one), _of(other))


def fills(one: Filter, other: Filter) -> bool:
    """Return whether every event is matched by one of them; False where that is not certain."""
    if one.field != other.field:
        return False
    negative, other_negative = one.condition in OPPOSITES, other.condition in OPPOSITES
    if negative and other_negative:
        return _excludes(_of(one), _of(other))
    if negative:
        return covered_by(_of(one), _of(other))
    return other_negative and covered_by(_of(other), _of(one))


@lru_cache(maxsize=1 << 15)
def alternatives(condition: str, value: str) -> Alternatives:
    """Return `atoms.alternatives` that some text may fulfil."""
    found = atoms.alternatives(condition, value)
    # An empty token equals nothing: what is missing compares as `-`.
    return tuple(one for one in found if one != (Atom("is", ""),)) if condition == "is any" else found


def _of(filter_: Filter) -> Alternatives:
    return alternatives(filter_.condition, filter_.value)


def covered_by(one: Alternatives, other: Alternatives) -> bool:
    """Return whether each alternative of one fulfils an alternative of the other; False where that is not certain."""
    if 1 == len(one) == len(other) == len(one[0]) == len(other[0]):
        # As most are; large files take half the time.
        return _implies(one[0][0], other[0][0])
    return all(any(_all_implied(atoms, others) for others in other) for atoms in one)


def _all_implied(atoms: tuple[Atom, ...], others: tuple[Atom, ...]) -> bool:
    return all(any(_implies(atom, wanted) for atom in atoms) for wanted in others)


def _excludes(one: Alternatives, other: Alternatives) -> bool:
    return all(any(never_both(a, b) for a in atoms for b in others) for atoms in one for others in other)


def _implies(atom: Atom, wanted: Atom) -> bool:
    kind, text = atom
    if kind == "is":
        return matches(wanted.kind, wanted.text, text)
    if wanted.kind == "contains":
        return kind in ("contains", "begin with", "end with", "image") and wanted.text in text
    if wanted.kind == "begin with":
        return kind == "begin with" and text.startswith(wanted.text)
    if wanted.kind == "end with":
        return kind in ("end with", "image") and text.endswith(wanted.text)
    if wanted.kind == "image":
        return atom == wanted or (kind == "end with" and text.endswith(f"\\{wanted.text}"))
    if wanted.kind == "less than":
        return kind == "less than" and text <= wanted.text
    return wanted.kind == "more than" and kind == "more than" and text >= wanted.text


def never_both(one: Atom, other: Atom) -> bool:
    """Return whether no text fulfils both; False where that is not certain."""
    for atom, against in ((one, other), (other, one)):
        if atom.kind == "is":
            return not matches(against.kind, against.text, atom.text)
    kinds = {one.kind, other.kind}
    if kinds == {"begin with"}:
        return not one.text.startswith(other.text) and not other.text.startswith(one.text)
    if kinds == {"image"}:
        return one.text != other.text
    return kinds <= {"end with", "image"} and not one.text.endswith(other.text) and not other.text.endswith(one.text)
