"""Rewrites of DuckDB's expressions as Spark's: one function for each kind of expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from procwire.errors import UsageError
from procwire.spark.regex import java_pattern, java_replacement, once

__all__ = ["REWRITES", "refuse"]

_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "WEEK": 604_800}
# The origin of DuckDB's time buckets, a Monday.
_BUCKETS_FROM_US = 946_857_600_000_000
_FORMATS = {"%Y": "yyyy", "%y": "yy", "%m": "MM", "%-m": "M", "%d": "dd", "%-d": "d", "%H": "HH", "%-H": "H",
            "%I": "hh", "%-I": "h", "%M": "mm", "%-M": "m", "%S": "ss", "%-S": "s", "%g": "SSS", "%f": "SSSSSS",
            "%a": "EEE", "%A": "EEEE", "%b": "MMM", "%B": "MMMM", "%j": "DDD", "%p": "a", "%%": "%"}  # fmt: skip
_DOUBLES = (exp.Div, exp.Avg, exp.Sqrt, exp.Ln, exp.Exp, exp.Pow)


def refuse(what: str) -> UsageError:
    """Return the error for an expression that Spark does not have."""
    return UsageError(f"SQL for Spark: {what}")


def _call(name: str, *arguments: exp.Expr | int | str) -> exp.Expr:
    """Return a call of a Spark function by its Spark name."""
    return exp.Anonymous(this=name, expressions=[_expression(argument) for argument in arguments])


def _expression(value: exp.Expr | int | str) -> exp.Expr:
    if isinstance(value, exp.Expr):
        return value
    return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value)


def _unit(node: exp.Expr) -> str:
    return str(node.args["unit"].name).upper().removesuffix("S")


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


# Numbers


def _is_double(node: exp.Expr) -> bool:
    node = _bare(node)
    if isinstance(node, exp.Mul | exp.Add | exp.Sub):
        return _is_double(node.left) or _is_double(node.right)
    if isinstance(node, exp.Case):
        return any(_is_double(branch.args["true"]) for branch in node.args["ifs"])
    return isinstance(node, _DOUBLES) or (isinstance(node, exp.Literal) and not node.is_string and "e" in node.name)


def _div(node: exp.Div) -> exp.Expr:
    """Divide as doubles, whatever the operands' types; by zero as IEEE 754 defines it."""
    left, right = (exp.cast(side, exp.DType.DOUBLE) for side in (node.left, node.right))
    quotient = exp.Div(this=left, expression=right, typed=True, safe=False)
    divisor = _bare(node.right)
    if isinstance(divisor, exp.Literal) and float(divisor.name) != 0:
        return exp.paren(quotient)
    infinite = exp.Mul(this=left.copy(), expression=exp.cast(exp.Literal.string("Infinity"), exp.DType.DOUBLE))
    return exp.paren(
        exp.case().when(exp.EQ(this=right.copy(), expression=exp.Literal.number(0)), infinite).else_(quotient)
    )


def _round(node: exp.Round) -> exp.Expr:
    """Round the binary number: Spark rounds its decimal text."""
    decimals = node.args.get("decimals")
    if decimals is None:
        return node
    if not isinstance(decimals, exp.Literal):
        raise refuse(f"found round(..., {decimals.sql('duckdb')}), expected a number of decimals")
    scale = exp.Literal.number(f"1e{decimals.name}")
    scaled = exp.Mul(this=exp.paren(node.this), expression=scale)
    return exp.paren(exp.Div(this=exp.Round(this=scaled), expression=scale.copy(), typed=True, safe=False))


def _cast(node: exp.Cast) -> exp.Expr:
    value = _bare(node.this)
    if node.to.is_type(*exp.DataType.INTEGER_TYPES):
        first = value
        while isinstance(first, exp.DPipe):
            first = first.left
        if isinstance(first, exp.Literal) and first.name == "0x":
            digits = _call("substr", value, 3)
            return exp.cast(_call("conv", digits, 16, 10), node.to)
        if _is_double(value):
            # Round to the nearest integer, where Spark truncates.
            return exp.cast(_call("rint", value), node.to)
    return node


# Times


def _date_diff(node: exp.DateDiff) -> exp.Expr:
    """Count the starts of units between two times; Spark counts complete units."""
    unit, later, earlier = _unit(node), node.this, node.expression
    if unit in ("MICROSECOND", "MILLISECOND"):
        counter = "unix_micros" if unit == "MICROSECOND" else "unix_millis"
        return exp.paren(exp.Sub(this=_call(counter, later), expression=_call(counter, earlier)))
    if unit == "DAY":
        return _call("datediff", later, earlier)
    if unit not in ("SECOND", "MINUTE", "HOUR"):
        raise refuse(
            f"found date_diff('{unit.lower()}', ...), expected microsecond, millisecond, second, minute, hour or day"
        )
    begun, begun_before = (_units(side, _SECONDS[unit]) for side in (later, earlier))
    return exp.paren(exp.Sub(this=begun, expression=begun_before))


def _units(time: exp.Expr, unit_s: int) -> exp.Expr:
    seconds = _call("unix_seconds", time)
    return _call("floor", exp.Div(this=seconds, expression=_expression(unit_s), typed=True))


def _date_bin(node: exp.DateBin) -> exp.Expr:
    width = _bare(node.this)
    unit = _unit(width) if isinstance(width, exp.Interval) and width.args.get("unit") else ""
    if unit not in _SECONDS or not isinstance(width.this, exp.Literal):
        raise refuse(
            "found a time_bucket of another width, expected a number of seconds, minutes, hours, days or weeks"
        )
    width_us = int(width.this.name) * _SECONDS[unit] * 1_000_000
    micros = _call("unix_micros", node.expression)
    since = exp.paren(exp.Sub(this=micros, expression=_expression(_BUCKETS_FROM_US)))
    return _call("timestamp_micros", exp.Sub(this=micros.copy(), expression=_call("pmod", since, width_us)))


def _time_to_str(node: exp.TimeToStr) -> exp.Expr:
    if not isinstance(node.args["format"], exp.Literal):
        raise refuse("found strftime with a format that is computed, expected a text")
    return _call("date_format", node.this, "".join(_format(part) for part in _parts(node.args["format"].name)))


def _parts(format: str) -> list[str]:
    return re.findall(r"%-?.|[^%]+", format, re.DOTALL)


def _format(part: str) -> str:
    if not part.startswith("%"):
        quoted = part.replace("'", "''")
        return f"'{quoted}'" if re.search(r"[A-Za-z'\[\]{}#]", part) else part
    if part not in _FORMATS:
        raise refuse(f"found {part} in strftime, expected one of {' '.join(_FORMATS)}")
    return _FORMATS[part]


def _extract(node: exp.Extract) -> exp.Expr:
    return _part_of(node.name.upper(), node.expression) or node


def _part_of(part: str, time: exp.Expr) -> exp.Expr | None:
    if part in ("DOW", "DAYOFWEEK", "WEEKDAY"):
        return _day_of_week(time)
    if part == "ISODOW":
        return exp.paren(exp.Add(this=_call("weekday", time), expression=_expression(1)))
    if part == "EPOCH":
        return _epoch(time)
    # Spark's seconds include the fraction.
    return _call("second", time) if part in ("SECOND", "SECONDS") else None


def _day_of_week(time: exp.Expr) -> exp.Expr:
    """Return the day of the week with Sunday as 0; in Spark it is 1."""
    return exp.paren(exp.Sub(this=_call("dayofweek", time), expression=_expression(1)))


def _epoch(time: exp.Expr) -> exp.Expr:
    return exp.paren(exp.Div(this=_call("unix_micros", time), expression=exp.Literal.number("1e6"), typed=True))


def _unix_to_time(node: exp.UnixToTime) -> exp.Expr:
    """Rewrite `to_timestamp`, and `epoch_ms`, which sqlglot confuses with the function of a time."""
    if node.args.get("scale") is None:
        return _call("timestamp_seconds", node.this)
    return _call("unix_millis", node.this)


# Text


def _regexp(pattern: exp.Expr, options: str = "") -> str:
    if not isinstance(pattern, exp.Literal):
        raise refuse(f"found {pattern.sql('duckdb')} as a regular expression, expected a text")
    return java_pattern(pattern.name, options)


def _regexp_like(node: exp.RegexpLike) -> exp.Expr:
    flag = node.args.get("flag")
    pattern = _regexp(node.expression, flag.name if flag else "")
    return exp.RegexpLike(this=node.this, expression=exp.Literal.string(pattern))


def _regexp_full_match(node: exp.RegexpFullMatch) -> exp.Expr:
    pattern = rf"^(?:{_regexp(node.expression)})\z"
    return exp.paren(exp.RegexpLike(this=node.this, expression=exp.Literal.string(pattern)))


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    return _call("regexp_extract", node.this, _regexp(node.expression), node.args.get("group") or 0)


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    modifiers = node.args.get("modifiers")
    options = modifiers.name if modifiers else ""
    if not isinstance(node.args["replacement"], exp.Literal):
        raise refuse("found regexp_replace with a replacement that is computed, expected a text")
    pattern = _regexp(node.expression, options)
    replacement = node.args["replacement"].name
    pattern, replacement = (pattern, java_replacement(replacement)) if "g" in options else once(pattern, replacement)
    return _call("regexp_replace", node.this, pattern, replacement)


def _like(node: exp.Expr) -> exp.Expr:
    """Match a backslash literally, unless ESCAPE names it."""
    pattern = node.args["expression"]
    if isinstance(node.parent, exp.Escape) or (isinstance(pattern, exp.Literal) and "\\" not in pattern.name):
        return node
    escaped = (_expression(pattern.name.replace("\\", "\\\\")) if isinstance(pattern, exp.Literal)
               else _call("replace", pattern, "\\", "\\\\"))  # fmt: skip
    node.set("expression", escaped)
    return node


def _concat(node: exp.Concat) -> exp.Expr:
    """Concatenate values of any type, skipping nulls."""
    if not node.args.get("coalesce"):
        return node
    texts = (exp.cast(part, exp.DType.TEXT) for part in node.expressions)
    return _call("concat", *(_call("coalesce", text, "") for text in texts))


def _lower(node: exp.Lower) -> exp.Expr:
    """Lower the case of each character by itself: Java differs for only two."""
    return _call("lower", _call("translate", node.this, "İΣ", "iσ"))


# Lists and aggregates


def _array_agg(node: exp.Expr) -> exp.Expr:
    """Aggregate to a list that includes nulls; the list of no rows is null."""
    aggregate = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(aggregate, exp.ArrayAgg) or (node is aggregate and isinstance(node.parent, exp.Filter)):
        return node
    value = aggregate.this
    distinct = isinstance(value, exp.Distinct)
    value = value.expressions[0] if distinct else value
    if isinstance(value, exp.Order):
        raise refuse("found ORDER BY in a list, expected it to be sorted afterwards: list_sort(list(...))")
    item = _call("named_struct", "item", value)
    kept: exp.Expr = _call("collect_set" if distinct else "collect_list", item)
    if isinstance(node, exp.Filter):
        kept = exp.Filter(this=kept, expression=node.args["expression"])
    items = exp.Dot(this=exp.paren(kept), expression=exp.to_identifier("item"))
    return exp.Nullif(this=items, expression=exp.Array(expressions=[]))


def _filter(node: exp.Filter) -> exp.Expr:
    if isinstance(node.this, exp.Filter):
        inner = node.this
        both = exp.and_(inner.expression.this, node.expression.this)
        return exp.Filter(this=inner.this, expression=exp.Where(this=both))
    return _array_agg(node)


def _arg_extreme(node: exp.ArgMin | exp.ArgMax) -> exp.Expr:
    """Consider only rows that have a value, like DuckDB."""
    name = "min_by" if isinstance(node, exp.ArgMin) else "max_by"
    known = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
    return exp.Filter(this=_call(name, node.this, node.expression), expression=exp.Where(this=known))


def _ignore_nulls(node: exp.IgnoreNulls) -> exp.Expr:
    """Pass IGNORE NULLS as an argument, so that FILTER is possible."""
    return _call("any_value", node.this.this, exp.true()) if isinstance(node.this, exp.AnyValue) else node


def _count_if(node: exp.CountIf) -> exp.Expr:
    """Return null if every condition is null, like DuckDB."""
    wanted = exp.case().when(node.this, exp.Literal.number(1))
    return _call("sum", wanted.when(exp.Not(this=exp.paren(node.this.copy())), exp.Literal.number(0)))


def _percentile(node: exp.PercentileCont) -> exp.Expr:
    return _call("percentile", node.this, node.expression)


def _array_to_string(node: exp.ArrayToString) -> exp.Expr:
    texts = exp.cast(node.this, exp.DataType.build("ARRAY<STRING>", dialect="spark"))
    return _call("array_join", texts, node.expression)


def _array_contains(node: exp.ArrayContains) -> exp.Expr:
    if isinstance(node.this, exp.Array) and not node.this.expressions:
        # It has no comparable type.
        known = exp.Not(this=exp.Is(this=node.expression, expression=exp.Null()))
        return exp.paren(exp.case().when(known, exp.false()))
    return node


def _bracket(node: exp.Bracket) -> exp.Expr:
    """Return null beyond the end of a list, where Spark raises an error."""
    place = node.expressions[0] if len(node.expressions) == 1 else None
    return _call("get", node.this, place) if isinstance(place, exp.Literal) and not place.is_string else node


def _list_sum(numbers: exp.Expr) -> exp.Expr:
    """Sum the elements that are not null; null if there are none."""
    numbers = _call("array_compact", numbers)
    others = _call("slice", numbers, 2, _call("greatest", _less_one(_call("size", numbers)), 0))
    total, item = exp.to_identifier("total"), exp.to_identifier("item")
    added = exp.Lambda(this=exp.Add(this=total, expression=item), expressions=[total.copy(), item.copy()])
    return _call("aggregate", others, _call("get", numbers.copy(), 0), added)


def _list_aggregate(node: exp.Anonymous) -> exp.Expr:
    """Compute quantiles of a list, with linear interpolation; other aggregates have their own functions."""
    numbers, name, *arguments = node.expressions
    if name.name != "quantile_cont" or len(arguments) != 1:
        raise refuse(f"found {node.sql('duckdb')}, expected list_aggregate(..., 'quantile_cont', ...)")
    ordered = exp.to_identifier("ordered")
    place = exp.paren(
        exp.Mul(this=_less_one(_call("size", ordered)), expression=exp.cast(arguments[0], exp.DType.DOUBLE))
    )
    below, above = (_call("get", ordered, exp.cast(_call(name, place), exp.DType.INT)) for name in ("floor", "ceil"))
    beyond = exp.paren(exp.Sub(this=place, expression=_call("floor", place)))
    rise = exp.Mul(this=exp.paren(exp.Sub(this=above, expression=below)), expression=beyond)
    # Bind the list to a name, so that it is computed once.
    quantile = exp.Lambda(this=exp.Add(this=below, expression=rise).copy(), expressions=[ordered.copy()])
    only = exp.Array(expressions=[_call("array_sort", _call("array_compact", numbers))])
    return _call("get", _call("transform", only, quantile), 0)


def _less_one(node: exp.Expr) -> exp.Expr:
    return exp.paren(exp.Sub(this=node, expression=_expression(1)))


def _star(node: exp.Star) -> exp.Expr:
    if node.args.get("replace"):
        raise refuse("found * REPLACE, which Spark does not have")
    return node


def _anonymous(node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    if name == "date_part" and len(node.expressions) == 2 and isinstance(node.expressions[0], exp.Literal):
        return _part_of(node.expressions[0].name.upper(), node.expressions[1]) or node
    if name == "list_aggregate" and len(node.expressions) >= 2:
        return _list_aggregate(node)
    if name == "list_extract" and len(node.expressions) == 2:
        return _call("try_element_at", node.expressions[0], exp.cast(node.expressions[1], exp.DType.INT))
    if name == "list_sum" and len(node.expressions) == 1:
        return _list_sum(node.expressions[0])
    if name in _NAMES:
        return _call(_NAMES[name], *node.expressions)
    return node


_NAMES = {
    "hash": "xxhash64",
    "prefix": "startswith",
    "suffix": "endswith",
    "epoch_us": "unix_micros",
    "list_extract": "try_element_at",
}

REWRITES: Mapping[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Anonymous: _anonymous,
    exp.ArgMax: _arg_extreme,
    exp.ArgMin: _arg_extreme,
    exp.ArrayAgg: _array_agg,
    exp.ArrayContains: _array_contains,
    exp.ArrayToString: _array_to_string,
    exp.Bracket: _bracket,
    exp.Cast: _cast,
    exp.Concat: _concat,
    exp.CountIf: _count_if,
    exp.DateBin: _date_bin,
    exp.DateDiff: _date_diff,
    exp.DayOfWeek: lambda node: _day_of_week(node.this),
    exp.Div: _div,
    exp.Extract: _extract,
    exp.Filter: _filter,
    exp.ILike: _like,
    exp.IgnoreNulls: _ignore_nulls,
    exp.Like: _like,
    exp.Lower: _lower,
    exp.PercentileCont: _percentile,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpFullMatch: _regexp_full_match,
    exp.RegexpLike: _regexp_like,
    exp.RegexpReplace: _regexp_replace,
    exp.Round: _round,
    exp.Star: _star,
    exp.TimeToStr: _time_to_str,
    exp.TimeToUnix: lambda node: _epoch(node.this),
    exp.UnixToTime: _unix_to_time,
}
"""Kinds of DuckDB expressions, and the functions that rewrite them for Spark."""
