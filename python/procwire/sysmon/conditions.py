"""Evaluate Sysmon's conditions, in plain Python and in SQL.

All of them compare text, whatever the field's type, and ignore case (microsoft/SysmonCommon, rules.c,
MatchFilterOnSpecificRule).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from procwire.engine import literal
from procwire.matching.folding import fold

__all__ = ["OPPOSITES", "Predicate", "condition_sql", "matches", "predicate", "substrings"]

Predicate = Callable[[str], bool]

OPPOSITES: Mapping[str, str] = {
    "is not": "is",
    "excludes": "contains",
    "excludes any": "contains any",
    "excludes all": "contains all",
    "not begin with": "begin with",
    "not end with": "end with",
}
"""Maps each negative condition to the one that it negates."""


def matches(condition: str, value: str, text: str) -> bool:
    """Return whether a text fulfils a condition. text: never empty, because Sysmon has `-` for missing values."""
    return predicate(condition, value)(fold(text))


@lru_cache(maxsize=1 << 14)
def predicate(condition: str, value: str) -> Predicate:
    """Return a function that decides whether a folded, non-empty text fulfils a condition."""
    return _PREDICATES[condition](fold(value))


def substrings(value: str) -> list[str]:
    """Return the texts that substring conditions search for, given a value with `;` between its tokens.

    An empty token stands for more: Sysmon's search takes its length, 0, as "to the end", and so looks for the rest of
    the value, including `;`. At the very end that is the empty text, which is in every text.
    """
    tokens = value.split(";")
    return [token or ";".join(tokens[place:]) for place, token in enumerate(tokens)]


def _image(value: str) -> Predicate:
    if "\\" in value:
        return lambda text: text == value
    return lambda text: text.rpartition("\\")[2] == value


def _any(value: str) -> Predicate:
    tokens = substrings(value)
    return lambda text: any(token in text for token in tokens)


def _all(value: str) -> Predicate:
    tokens = substrings(value)
    return lambda text: all(token in text for token in tokens)


def _is_any(value: str) -> Predicate:
    tokens = frozenset(value.split(";"))
    return lambda text: text in tokens


def _no(make: Callable[[str], Predicate]) -> Callable[[str], Predicate]:
    def made(value: str) -> Predicate:
        test = make(value)
        return lambda text: not test(text)

    return made


_PREDICATES: Mapping[str, Callable[[str], Predicate]] = {
    "is": lambda value: lambda text: text == value,
    "is not": lambda value: lambda text: text != value,
    "contains": lambda value: lambda text: value in text,
    "excludes": lambda value: lambda text: value not in text,
    "contains any": _any,
    "contains all": _all,
    "excludes any": _no(_any),
    "excludes all": _no(_all),
    "is any": _is_any,
    "begin with": lambda value: lambda text: text.startswith(value),
    "not begin with": lambda value: lambda text: not text.startswith(value),
    "end with": lambda value: lambda text: text.endswith(value),
    "not end with": lambda value: lambda text: not text.endswith(value),
    "less than": lambda value: lambda text: text < value,
    "more than": lambda value: lambda text: text > value,
    "image": _image,
}


def condition_sql(condition: str, value: str, text_sql: str) -> str:
    """Return a condition as an SQL expression, which needs no parentheses and is null if the text is null.

    text_sql: SQL of the folded text.
    """
    return _SQL[condition](text_sql, fold(value))


def _call(function: str) -> Callable[[str, str], str]:
    return lambda text, value: f"{function}({text}, {literal(value)})"


def _not_sql(test: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda text, value: f"NOT {test(text, value)}"


def _compare(operator: str) -> Callable[[str, str], str]:
    return lambda text, value: f"{text} {operator} {literal(value)}"


def _tokens(operator: str) -> Callable[[str, str], str]:
    def combined(text: str, value: str) -> str:
        # Without repetitions, in their order.
        tokens = dict.fromkeys(substrings(value))
        return "(" + f" {operator} ".join(_contains(text, token) for token in tokens) + ")"

    return combined


def _is_any_sql(text: str, value: str) -> str:
    return f"{text} IN ({', '.join(literal(token) for token in dict.fromkeys(value.split(';')))})"


def _image_sql(text: str, value: str) -> str:
    whole = f"{text} = {literal(value)}"
    return whole if "\\" in value else f"({whole} OR {_ends_with(text, chr(92) + value)})"


_contains, _starts_with, _ends_with = _call("contains"), _call("starts_with"), _call("ends_with")

_SQL: Mapping[str, Callable[[str, str], str]] = {
    "is": _compare("="),
    "is not": _compare("<>"),
    "contains": _contains,
    "excludes": _not_sql(_contains),
    "contains any": _tokens("OR"),
    "contains all": _tokens("AND"),
    "excludes any": _not_sql(_tokens("OR")),
    "excludes all": _not_sql(_tokens("AND")),
    "is any": _is_any_sql,
    "begin with": _starts_with,
    "not begin with": _not_sql(_starts_with),
    "end with": _ends_with,
    "not end with": _not_sql(_ends_with),
    "less than": _compare("<"),
    "more than": _compare(">"),
    "image": _image_sql,
}
