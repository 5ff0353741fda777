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

__all__ = ["keyword", "test_of"]

_OPERATORS: dict[CompareOperators, Operator] = {
    CompareOperators.LT: "<", CompareOperators.LTE: "<=", CompareOperators.GT: ">", CompareOperators.GTE: ">=",
}  # fmt: skip
_WILDCARDS = {SpecialChars.WILDCARD_MULTI: Wildcard.ANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
_MISSING = ("", "-")


def test_of(name: str, value: SigmaType) -> Node:
    """Return the test of a field's value. Raises Unusable for what has no counterpart."""
    column = column_of(name)
    match value:
        case SigmaExpansion():
            return any_of(test_of(name, one) for one in value.values)
        case SigmaNull():
            return Leaf(name, column.name, Missing())
        case SigmaExists():
            missing = Leaf(name, column.name, Missing())
            return Not(missing) if value.exists else missing
        case SigmaString():
            return _text(name, column, _parts(value), isinstance(value, SigmaCasedString))
        case SigmaBool():
            return _text(name, column, (str(value.boolean).lower(),), False)
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
        case SigmaNumber():
            return _text(name, column, (str(value.number),), False)
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
            raise Unusable(f"found placeholder %{part.name}%, expected its values in its place")
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


def _text(name: str, column: Column, parts: tuple[Part, ...], cased: bool) -> Node:
    whole = "".join(cast(tuple[str, ...], parts)) if all(isinstance(part, str) for part in parts) else None
    if whole in _MISSING:
        return Leaf(name, column.name, Missing())
    if column.only_words or (whole is not None and whole.lower() in column.words):
        return _word(name, column, whole or "*")
    if parts == (Wildcard.ANY,):
        return Not(Leaf(name, column.name, Missing()))
    return _pattern(name, column, parts, cased) if whole is None else _whole(name, column, whole, cased)


def _word(name: str, column: Column, word: str) -> Node:
    values = column.words.get(word.lower())
    if values is None:
        raise Unusable(f"found {word!r} for {name}, expected one of {', '.join(column.words)}")
    return any_of(Leaf(name, column.name, Equal(value)) for value in values)


def _pattern(name: str, column: Column, parts: tuple[Part, ...], cased: bool) -> Node:
    return Leaf(name, column.name, Like(parts, cased))


def _whole(name: str, column: Column, text: str, cased: bool) -> Node:
    """Return the test of a complete text, by the column's kind; a value that the kind cannot hold never matches."""
    if column.kind == "number":
        return Leaf(name, column.name, Equal(int(text))) if re.fullmatch(r"-?\d{1,18}", text, re.A) else Any(())
    if column.kind == "flag":
        flag = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
        return Any(()) if flag is None else Leaf(name, column.name, Equal(flag))
    if column.kind == "address":
        address = _address(text)
        if address is not None:
            return Leaf(name, ADDRESS_BYTES[column.name], InNetwork(address))
    return Leaf(name, column.name, Equal(text, cased))


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
