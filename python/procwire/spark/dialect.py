"""Translation of DuckDB's SQL to Spark's, by sqlglot and further rewrites.

Both engines must return the same rows. So beside names and syntax, the rewrites handle expressions with different
meanings: division, rounding, nulls in lists and empty lists, regular expressions, differences of dates, lower case.
docs/scale.md lists what still differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, UnsupportedError

from procwire.engine.functions import REFUSED_FUNCTIONS
from procwire.errors import UsageError
from procwire.spark.addresses import FUNCTIONS, bottom_up, expand
from procwire.spark.once import compute_once
from procwire.spark.rewrites import REWRITES, refuse

__all__ = ["to_spark"]


def to_spark(sql: str, parameters: Mapping[str, object] | None = None) -> str:
    """Translate a query from DuckDB's SQL to Spark's, with the values of its parameters (`$name`) inserted.

    Raises UsageError for other statements, for a parameter without a value, and for what Spark cannot do.
    """
    tree = _parse(sql)
    tree = bottom_up(tree, lambda node: _rewritten(node, parameters or {}))
    compute_once(tree)
    try:
        text: str = tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE, comments=False)
    except UnsupportedError as error:
        raise refuse(str(error).splitlines()[0]) from error
    return text


def _parse(sql: str) -> exp.Expr:
    try:
        statements = [found for found in sqlglot.parse(sql, read="duckdb") if found is not None]
    except ParseError as error:
        first = error.errors[0]
        raise UsageError(f"SQL: {first['description']}, line {first['line']}, near {first['highlight']!r}") from error
    except SqlglotError as error:
        raise UsageError(f"SQL: {error}") from error
    if len(statements) != 1:
        raise UsageError(f"SQL: found {len(statements)} statements, expected one")
    if not isinstance(statements[0], exp.Query):
        raise refuse(f"found {statements[0].key.upper()}, expected a query: SELECT, FROM, WITH or VALUES")
    for node in statements[0].walk():
        _check_reads(node)
    return statements[0]


def _check_reads(node: exp.Expr) -> None:
    """Raise UsageError for what changes something or names a file: to Spark, `text.`/etc/passwd`` is a table."""
    if isinstance(node, exp.DML | exp.DDL | exp.Command | exp.Into) and not isinstance(node, exp.Query):
        raise refuse(f"found {node.key.upper()} in a query, expected a query that reads")
    if isinstance(node, exp.Table) and (node.args.get("db") or node.args.get("catalog")):
        raise refuse(f"found table {node.sql('duckdb')}, expected a view such as connections")
    name = node.name if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else node.key
    if isinstance(node, exp.Func) and (reason := REFUSED_FUNCTIONS.get(name.lower())):
        raise refuse(f"found {name}(...), which {reason}; expected another function")


def _rewritten(node: exp.Expr, parameters: Mapping[str, object]) -> exp.Expr:
    if isinstance(node, exp.Placeholder | exp.Parameter):
        return _value(node.name, parameters)
    if isinstance(node, exp.Anonymous) and node.name.lower() in FUNCTIONS:
        expanded = expand(node.name.lower(), node.expressions)
        if expanded is None:
            raise UsageError(f"SQL: found {node.name} with {len(node.expressions)} arguments")
        return expanded
    rewrite = REWRITES.get(type(node))
    return node if rewrite is None else rewrite(node)


def _value(name: str, parameters: Mapping[str, object]) -> exp.Expr:
    if name not in parameters:
        nearest = get_close_matches(name, parameters, n=1)
        hint = f"; did you mean ${nearest[0]}?" if nearest else ""
        raise UsageError(f"SQL: found ${name}, which has no value{hint}")
    return _literal(parameters[name])


def _literal(value: object) -> exp.Expr:
    if isinstance(value, datetime):
        # Without a zone it is in UTC, the session's zone.
        return exp.cast(exp.Literal.string(value.isoformat(" ")), exp.DType.TIMESTAMPTZ)
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[_literal(item) for item in value])
    # In parentheses, because a number may have a sign.
    return exp.paren(exp.convert(value))


def _double(value: float) -> exp.Expr:
    text = repr(abs(value))
    number = exp.Literal.number(text if "e" in text else f"{text}e0")
    return exp.paren(exp.Neg(this=number) if value < 0 else number)
