"""Limits of the size of Sigma rules: estimates the number of tests before pySigma builds them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from procwire.sigma.model.tree import All, Any, Node, Not
from procwire.sigma.problems import Unusable

__all__ = ["MOST_TESTS", "MOST_TESTS_OF_ALL", "check_size", "check_tree"]

MOST_TESTS = 250_000
"""The most tests of a rule."""
MOST_TESTS_OF_ALL = 1_000_000
"""The most tests of all rules that run together: about a gigabyte."""
_LONGEST_CONDITION = 10_000
_MOST_MODIFIERS = 8
_DEEPEST = 100
_OPERATORS = {"and", "or", "not", "of", "all", "any", "1"}
_WORD = re.compile(r"[\w.*?-]+")
# A dash that windash expands to five forms, as pySigma detects it; it accepts at most three in a value.
_DASH = re.compile(r"\B[-/\u2013\u2014\u2015]\b")
_DASHES, _MOST_DASHES, _OFFSETS = 5, 3, 3


def check_size(detection: object) -> None:
    """Raise Unusable for a detection, or a filter, that would become more tests than a rule may have."""
    if not isinstance(detection, Mapping):
        return
    conditions = detection.get("condition")
    words = sum(_words(one) for one in (conditions if isinstance(conditions, list) else [conditions]))
    values = sum(_values(value) for name, value in detection.items() if name not in ("condition", "rules"))
    # Each word of a condition may stand for all of the detection.
    if values * max(words, 1) > MOST_TESTS and values > 1:
        raise Unusable(
            f"found {values:,} values, and a condition of {words:,} names, which may make {values * max(words, 1):,} "
            f"tests; expected {MOST_TESTS:,} at most"
        )


def _words(condition: object) -> int:
    text = str(condition)
    if len(text) > _LONGEST_CONDITION:
        raise Unusable(f"found a condition of {len(text):,} characters, expected {_LONGEST_CONDITION:,} at most")
    return sum(word not in _OPERATORS for word in _WORD.findall(text))


def _values(found: object, field: str = "") -> int:
    """Return how many tests the values below a key become."""
    if isinstance(found, Mapping):
        return sum(_values(value, str(name)) for name, value in found.items())
    if isinstance(found, list):
        return sum(_values(value, field) for value in found)
    modifiers = field.split("|")[1:]
    if len(modifiers) > _MOST_MODIFIERS or len(modifiers) > len(set(modifiers)):
        raise Unusable(f"found field {field[:100]}, expected {_MOST_MODIFIERS} modifiers at most, each once")
    dashes = min(len(_DASH.findall(str(found))), _MOST_DASHES) if "windash" in modifiers else 0
    forms: int = _DASHES**dashes
    return forms * (_OFFSETS if "base64offset" in modifiers else 1)


def check_tree(root: Node) -> int:
    """Return how many tests a tree has. Raises Unusable for one that is nested too deeply to be compiled."""
    tests = 0
    ahead: list[tuple[Node, int]] = [(root, 1)]
    while ahead:
        node, depth = ahead.pop()
        if depth > _DEEPEST:
            raise Unusable(f"found a condition nested more than {_DEEPEST} levels deep")
        match node:
            case Not(operand):
                ahead.append((operand, depth + 1))
            case All(operands) | Any(operands):
                ahead += [(operand, depth + 1) for operand in operands]
            case _:
                tests += 1
    return tests
