"""Split conditions into single comparisons: `contains any a;b` is `contains a` or `contains b`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from procwire.matching.folding import fold
from procwire.matching.text_tests import AllOf, TextKind, TextTest
from procwire.sysmon.conditions import OPPOSITES, substrings

__all__ = ["Alternatives", "Atom", "alternatives", "text_tests"]


class Atom(NamedTuple):
    """Hold one comparison of a field's text with another."""

    kind: str
    """is, contains, begin with, end with, image (with a base name), less than or more than."""
    text: str
    """Folded."""


Alternatives = tuple[tuple[Atom, ...], ...]
"""A condition as alternatives, at least one of which must hold; all atoms of an alternative must hold."""

_KINDS: Mapping[str, TextKind] = {
    "is": "equals",
    "contains": "contains",
    "begin with": "starts with",
    "end with": "ends with",
    "image": "base name",
    "less than": "less than",
    "more than": "more than",
}


def alternatives(condition: str, value: str) -> Alternatives:
    """Split a condition, or for a negative one its opposite (`conditions.OPPOSITES`)."""
    condition, text = OPPOSITES.get(condition, condition), fold(value)
    if condition == "contains any":
        return tuple((Atom("contains", token),) for token in substrings(text))
    if condition == "contains all":
        return (tuple(Atom("contains", token) for token in substrings(text)),)
    if condition == "is any":
        return tuple((Atom("is", token),) for token in text.split(";"))
    if condition == "image" and "\\" in text:
        condition = "is"
    return ((Atom(condition, text),),)


def text_tests(condition: str, value: str) -> list[TextTest | AllOf]:
    """Return a condition's alternatives as neutral tests, at least one of which must hold."""
    return [_test(atoms) for atoms in dict.fromkeys(alternatives(condition, value))]


def _test(atoms: tuple[Atom, ...]) -> TextTest | AllOf:
    tests = tuple(TextTest(_KINDS[atom.kind], atom.text) for atom in atoms)
    return tests[0] if len(tests) == 1 else AllOf(tests)
