"""Convert Sigma's values, as parsed by pySigma, to tests of a column, according to its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from procwire.sigma.model.fields import ADDRESS_BYTES, KEYWORD_COLUMNS, Column, column_of
from procwire.sigma.model.tree import (
    Any,
    Compared,
    Equal,
    InNetwork,
    Leaf,
    Like,
    Missing,
    Node,
    Not,
    Operator,
    Part,
    Regex,
    SameAs,
    Test,
    TimeIs,
    TimeUnit,
    Wildcard,
    any_of,
)
from procwire.sigma.problems import Unusable
from procwire.words import shown

__all__ = ["Doubts", "keyword", "test_of"]

Doubts = list[str]
"""What is said of values that a field never has: a test of them never matches, and the rule may still."""

_OPERATORS: dict[CompareOperators, Operator] = {
    CompareOperators.LT: "<", CompareOperators.LTE: "<=", CompareOperators.GT: ">", CompareOperators.GTE: ">=",
}  # fmt: skip
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: Wildcard.ANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
_MISSING = ("", "-")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_PORTS, _LARGEST_PORT = ("src_port", "dst_port"), 0xFFFF
_PATHS = ("process_name", "process_parent_name")
_ANY_OF = {Wildcard.ANY: ".*", Wildcard.ONE: "."}


def test_of(name: str, value: SigmaType, doubts: Doubts) -> Node:
    """Return the test of a field's value; one that never matches, with a doubt, for a value that the field never has.

    Raises Unusable for what has no counterpart.
    """
    column = column_of(name)
    match value:
        case SigmaExpansion():
            return any_of(test_of(name, one, doubts) for one in value.values)
        case SigmaNull():
            return Leaf(name, column.name, Missing())
        case SigmaExists():
            missing = Leaf(name, column.name, Missing())
            return Not(missing) if value.exists else missing
        case SigmaString():
            return _text(name, column, _parts(value), isinstance(value, SigmaCasedString), doubts)
        case SigmaBool():
            return _text(name, column, (str(value.boolean).lower(),), False, doubts)
        case SigmaNumber() if not isinstance(value, SigmaTimestampPart):
            return _text(name, column, (str(value.number),), False, doubts)
        case SigmaRegularExpression() if column.only_words:
            return _words(name, column, _regex(value), str(value.regexp), doubts)
        case _:
            return _special(name, column, value)


def keyword(value: SigmaType) -> Node:
    """Return the test of a word without a field: whether one of the event's texts contains it."""
    match value:
        case SigmaExpansion():
            return any_of(keyword(one) for one in value.values)
        case SigmaString() if _parts(value):
            parts = (Wildcard.ANY, *_parts(value), Wildcard.ANY)
            test: Test = Like(_squeezed(parts), isinstance(value, SigmaCasedString))
        case SigmaNumber():
            test = Like((Wildcard.ANY, str(value.number), Wildcard.ANY))
        case SigmaRegularExpression():
            test = _regex(value)
        case _:
            raise Unusable(f"found {type(value).__name__} without a field, expected a text")
    return any_of(Leaf(column, column, test) for column in KEYWORD_COLUMNS)


def _special(name: str, column: Column, value: SigmaType) -> Node:
    match value:
        case SigmaTimestampPart():
            return _time_part(name, column, value)
        case SigmaRegularExpression():
            return Leaf(name, column.name, _regex(value))
        case SigmaCompareExpression():
            return _compared(name, column, value)
        case SigmaCIDRExpression():
            return _network(name, column, value)
        case SigmaFieldReference():
            return _reference(name, column, value)
    raise Unusable(f"found {type(value).__name__} for {name}, which has no counterpart")


def _parts(value: SigmaString) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            in_file = f"or in a file: --list {part.name}=FILE"
            raise Unusable(f"found placeholder %{part.name}%, expected its values in its place, {in_file}")
        if isinstance(part, str) and "\0" in part:
            raise Unusable("found characters of UTF-16, expected base64 after them: no column has such text")
        parts.append(part if isinstance(part, str) else _WILDCARDS[part])
    return _squeezed(parts)


def _squeezed(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return the parts with adjacent texts merged, and adjacent `*`, too."""
    result: list[Part] = []
    for part in parts:
        if result and isinstance(part, str) and isinstance(result[-1], str):
            result[-1] += part
        elif not (result and part is Wildcard.ANY and result[-1] is Wildcard.ANY):
            result.append(part)
    return tuple(result)


def _text(name: str, column: Column, parts: tuple[Part, ...], cased: bool, doubts: Doubts) -> Node:
    whole = "".join(cast(tuple[str, ...], parts)) if all(isinstance(part, str) for part in parts) else None
    if whole in _MISSING:
        return Leaf(name, column.name, Missing())
    if parts == (Wildcard.ANY,):
        return Not(Leaf(name, column.name, Missing()))
    if whole is not None and whole.lower() in column.words:
        return any_of(Leaf(name, column.name, Equal(value)) for value in column.words[whole.lower()])
    if column.name in _PATHS and any(isinstance(part, str) and re.search(r"[*?]", part) for part in parts):
        doubts.append(f"found an escaped wildcard for {name}, which no path has; for a \\ before a wildcard write \\\\")
    if column.only_words and not (column.kind == "flag" and whole is not None and whole.lower() in _FLAGS):
        expression = "".join(re.escape(part) if isinstance(part, str) else _ANY_OF[part] for part in parts)
        return _words(name, column, Regex(f"^{expression}$", "is"), whole or _written(parts), doubts)
    return _pattern(name, column, parts, cased) if whole is None else _whole(name, column, whole, cased, doubts)


def _words(name: str, column: Column, test: Regex, written: str, doubts: Doubts) -> Node:
    """Return the test of a pattern for a field that has only words."""
    words = list(column.words)
    matched = pc.match_substring_regex(pa.array(words), test.whole).to_pylist()
    values = dict.fromkeys(value for word, holds in zip(words, matched, strict=True) if holds
                           for value in column.words[word])  # fmt: skip
    if not values:
        doubts.append(f"found {shown(written)} for {name}, expected one of {', '.join(words)}")
    return any_of(Leaf(name, column.name, Equal(value)) for value in values)


def _written(parts: Iterable[Part]) -> str:
    return "".join(part if isinstance(part, str) else part.value for part in parts)


def _pattern(name: str, column: Column, parts: tuple[Part, ...], cased: bool) -> Node:
    return Leaf(name, column.name, Like(parts, cased))


def _whole(name: str, column: Column, text: str, cased: bool, doubts: Doubts) -> Node:
    """Return the test of a complete text, by the column's kind; one that the kind cannot hold never matches."""
    if column.kind == "number":
        if re.fullmatch(r"-?\d{1,18}", text, re.A):
            if column.name in _PORTS and not 0 <= int(text) <= _LARGEST_PORT:
                return _never(name, text, "a port, from 0 to 65535", doubts)
            return Leaf(name, column.name, Equal(int(text)))
        return _never(name, text, "a number", doubts)
    if column.kind == "flag":
        flag = _FLAGS.get(text.lower())
        return _never(name, text, "true or false", doubts) if flag is None else Leaf(name, column.name, Equal(flag))
    if column.kind == "address":
        address = _address(text)
        if address is None:
            hint = f"; for a network write {name}|cidr" if "/" in text else ""
            # A log may have such a text where an address should be.
            _never(name, text, f"an address{hint}", doubts)
            return Leaf(name, column.name, Equal(text, cased))
        return Leaf(name, ADDRESS_BYTES[column.name], InNetwork(address))
    return Leaf(name, column.name, Equal(text, cased))


def _never(name: str, text: str, expected: str, doubts: Doubts) -> Node:
    doubts.append(f"found {shown(text)} for {name}, expected {expected}")
    return Any(())


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _regex(value: SigmaRegularExpression) -> Regex:
    if any(isinstance(part, Placeholder) for part in value.regexp.s):
        _parts(value.regexp)
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    test = Regex(str(value.regexp), flags)
    if "\0" in test.pattern:
        raise Unusable("found an expression with a NUL, which no column has")
    try:
        # Try it in the matcher's engine: Arrow's RE2 may reject what google-re2 accepts, such as leading flags.
        pc.match_substring_regex(pa.array([""]), test.whole)
    except pa.ArrowInvalid as error:
        raise Unusable(f"found an expression that RE2 does not know: {error}") from error
    return test


def _compared(name: str, column: Column, value: SigmaCompareExpression) -> Node:
    if column.kind != "number":
        raise Unusable(f"found {name} compared with a number, expected a field of numbers")
    return Leaf(name, column.name, Compared(_OPERATORS[value.op], value.number.number))


def _network(name: str, column: Column, value: SigmaCIDRExpression) -> Node:
    if column.kind != "address":
        raise Unusable(f"found cidr for {name}, expected a field of addresses")
    return Leaf(name, ADDRESS_BYTES[column.name], InNetwork(str(value.network)))


def _time_part(name: str, column: Column, value: SigmaTimestampPart) -> Node:
    unit = cast(TimeUnit, value.timestamp_part.name.lower())
    if column.kind != "time":
        raise Unusable(f"found {unit} of {name}, expected a field of times")
    return Leaf(name, column.name, TimeIs(unit, int(value.number)))


def _reference(name: str, column: Column, value: SigmaFieldReference) -> Node:
    other = column_of(value.field)
    partly = value.starts_with or value.ends_with
    if {column.kind, other.kind} <= {"text"} or (not partly and column.kind == other.kind != "time"):
        left, right = (ADDRESS_BYTES.get(one.name, one.name) for one in (column, other))
        return Leaf(name, left, SameAs(right, value.starts_with, value.ends_with))
    raise Unusable(f"found {name} compared with {value.field}, expected two texts, numbers, flags or addresses")
