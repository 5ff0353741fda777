"""Compile a rule's tree to an SQL predicate, in DuckDB's dialect, for people to read and for DuckDB and Spark to run.

A test of a column that is null is null, which does not match; `IS NOT TRUE` makes its negation match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import cast

from procwire.engine import literal
from procwire.engine.layout import joined
from procwire.matching.folding import fold
from procwire.matching.rendering import long_ipv6_sql
from procwire.query.functions import network_ends
from procwire.sigma.model.fields import ADDRESS_BYTES, kind_of
from procwire.sigma.model.tree import (
    All,
    Any,
    Compared,
    Equal,
    InNetwork,
    Leaf,
    Like,
    Missing,
    Node,
    Not,
    Part,
    Regex,
    SameAs,
    TimeIs,
    Wildcard,
)

__all__ = ["to_sql"]

_IPV4 = network_ends("::ffff:0:0/96")
_TIME_FORMAT = "'%Y-%m-%d %H:%M:%S.%g'"


def to_sql(node: Node) -> str:
    """Return the predicate on columns of `connections` or `enriched`: true if the tree matches, else false or null.

    It needs no parentheses when it is combined.
    """
    match node:
        case Leaf():
            return _leaf(node)
        case Not(Leaf(_, column, Missing())):
            return f"{column} IS NOT NULL"
        case Not(operand):
            return f"{_enclosed(to_sql(operand))} IS NOT TRUE"
        case All(operands):
            return joined("AND", [to_sql(operand) for operand in operands]) if operands else "TRUE"
        case Any(operands):
            return joined("OR", _alternatives(operands)) if operands else "FALSE"


def _enclosed(sql: str) -> str:
    return sql if sql.startswith("(") and sql.endswith(")") and "\n" in sql else f"({sql})"


def _alternatives(operands: Sequence[Node]) -> list[str]:
    """Return one term for each operand, except that values of one column become one IN."""
    terms = []
    for key, group in groupby(operands, _listed):
        nodes = list(group)
        if key is None or len(nodes) == 1:
            terms += [to_sql(node) for node in nodes]
        else:
            subject, _ = key
            terms.append(f"{subject} IN ({', '.join(_value(node) for node in nodes)})")
    return terms


def _listed(node: Node) -> tuple[str, bool] | None:
    """Return the compared expression, if the node tests whether a column has a certain value; else None."""
    if isinstance(node, Leaf) and isinstance(node.test, Equal) and not isinstance(node.test.value, bool):
        return _subject(node), node.test.cased
    return None


def _subject(leaf: Leaf) -> str:
    """Return SQL for what the leaf compares: the column, or its text in lower case."""
    test, kind = leaf.test, kind_of(leaf.column)
    if isinstance(test, Equal) and not isinstance(test.value, str):
        return leaf.column
    text = _as_text(leaf.column)
    cased = isinstance(test, Regex) or getattr(test, "cased", False)
    return text if cased or kind in ("number", "flag") else f"lower({text})"


def _as_text(column: str) -> str:
    match kind_of(column):
        case "number" | "flag":
            return f"CAST({column} AS VARCHAR)"
        case "time":
            return f"strftime({column}, {_TIME_FORMAT})"
        case _:
            return column


def _value(node: Node) -> str:
    test = cast(Equal, cast(Leaf, node).test)
    if isinstance(test.value, str):
        return literal(test.value if test.cased else fold(test.value))
    return str(test.value).lower()


def _leaf(leaf: Leaf) -> str:
    column, test = leaf.column, leaf.test
    match test:
        case Missing():
            return f"{column} IS NULL"
        case Equal(bool() as flag):
            return column if flag else f"NOT {column}"
        case Equal():
            return f"{_subject(leaf)} = {_value(leaf)}"
        case Like(parts, cased):
            folded = tuple(part if cased or isinstance(part, Wildcard) else fold(part) for part in parts)
            return _either_form(leaf, folded, lambda text: _like(text, folded))
        case Regex(pattern):
            return _either_form(leaf, (pattern,), lambda text: f"regexp_matches({text}, {literal(test.whole)})")
        case Compared(operator, number):
            return f"{column} {operator} {number}"
        case InNetwork(network):
            return _network(column, network)
        case TimeIs(unit, number):
            return f"extract('{unit}' FROM {column}) = {number}"
        case SameAs():
            return _same(column, test)


def _either_form(leaf: Leaf, parts: Sequence[Part], test: Callable[[str], str]) -> str:
    """Return SQL that tests the text, and for an IPv6 address also Sysmon's form of it, with all eight groups."""
    short = test(_subject(leaf))
    if leaf.column not in ADDRESS_BYTES or not any(isinstance(part, str) and ":" in part for part in parts):
        return short
    long = long_ipv6_sql(leaf.column, ADDRESS_BYTES[leaf.column], f"lower({leaf.column})")
    return f"({short} OR contains({leaf.column}, ':') AND {test(long)})"


def _like(text: str, parts: Sequence[Part]) -> str:
    match parts:
        case [str() as whole, Wildcard.ANY]:
            return f"starts_with({text}, {literal(whole)})"
        case [Wildcard.ANY, str() as whole]:
            return f"ends_with({text}, {literal(whole)})"
        case [Wildcard.ANY, str() as whole, Wildcard.ANY]:
            return f"contains({text}, {literal(whole)})"
    return f"{text} LIKE {literal(''.join(map(_like_part, parts)))} ESCAPE '!'"


def _like_part(part: Part) -> str:
    if isinstance(part, Wildcard):
        return "%" if part is Wildcard.ANY else "_"
    return re.sub("([!%_])", r"!\1", part)


def _network(column: str, network: str) -> str:
    first, last = network_ends(network)
    if first == last:
        return f"{column} = unhex('{first.hex()}') /* {network} */"
    test = f"{column} BETWEEN unhex('{first.hex()}') AND unhex('{last.hex()}')"
    if first < _IPV4[0] and last >= _IPV4[0]:
        # A network that includes all of IPv4, such as ::/0, contains only IPv6 addresses.
        test += f" AND NOT {column} BETWEEN unhex('{_IPV4[0].hex()}') AND unhex('{_IPV4[1].hex()}')"
        return f"({test}) /* {network} */"
    return f"{test} /* {network} */"


def _same(column: str, test: SameAs) -> str:
    if kind_of(column) != "text":
        return f"{column} = {test.column}"
    left, right = f"lower({column})", f"lower({test.column})"
    match test.starts, test.ends:
        case True, True:
            return f"contains({left}, {right})"
        case True, False:
            return f"starts_with({left}, {right})"
        case False, True:
            return f"ends_with({left}, {right})"
    return f"{left} = {right}"
