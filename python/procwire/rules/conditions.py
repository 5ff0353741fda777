"""Sysmon's conditions, in plain Python and in SQL.

All of them compare text, whatever the field's type, and know no difference of case (microsoft/SysmonCommon, rules.c,
MatchFilterOnSpecificRule). Case is folded character by character, as DuckDB's `lower` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from procwire.engine import literal

__all__ = ["condition_sql", "fold", "matches", "substrings"]


def fold(text: str) -> str:
    """The text in lower case, each character by itself: str.lower writes two of them otherwise."""
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def matches(condition: str, value: str, text: str) -> bool:
    """Whether a field's text fulfils a condition; `text` is never empty, as Sysmon has `-` for what is missing."""
    return _TESTS[condition](fold(value), fold(text))


def substrings(value: str) -> list[str]:
    """What the conditions with substrings look for, of a value with `;` between its tokens.

    An empty token is not one: Sysmon's search takes its length, 0, for "to the end", and so looks for the rest of the
    value, `;` and all. At the very end that is the empty text, which is in every text.
    """
    tokens = value.split(";")
    return [token or ";".join(tokens[place:]) for place, token in enumerate(tokens)]


def _is_image(value: str, text: str) -> bool:
    return text == value if "\\" in value else text.rpartition("\\")[2] == value


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "is": lambda value, text: text == value,
    "is not": lambda value, text: text != value,
    "contains": lambda value, text: value in text,
    "excludes": lambda value, text: value not in text,
    "contains any": lambda value, text: any(token in text for token in substrings(value)),
    "contains all": lambda value, text: all(token in text for token in substrings(value)),
    "excludes any": lambda value, text: not any(token in text for token in substrings(value)),
    "excludes all": lambda value, text: not all(token in text for token in substrings(value)),
    "is any": lambda value, text: text in value.split(";"),
    "begin with": lambda value, text: text.startswith(value),
    "not begin with": lambda value, text: not text.startswith(value),
    "end with": lambda value, text: text.endswith(value),
    "not end with": lambda value, text: not text.endswith(value),
    "less than": lambda value, text: text < value,
    "more than": lambda value, text: text > value,
    "image": _is_image,
}


def condition_sql(condition: str, value: str, text_sql: str) -> str:
    """The same over an SQL expression that gives the text, folded: an expression without need for parentheses.

    It is null where the text is.
    """
    return _SQL[condition](text_sql, fold(value))


def _call(function: str) -> Callable[[str, str], str]:
    return lambda text, value: f"{function}({text}, {literal(value)})"


def _not(test: Callable[[str, str], str]) -> Callable[[str, str], str]:
    return lambda text, value: f"NOT {test(text, value)}"


def _compare(operator: str) -> Callable[[str, str], str]:
    return lambda text, value: f"{text} {operator} {literal(value)}"


def _tokens(operator: str) -> Callable[[str, str], str]:
    def combined(text: str, value: str) -> str:
        # Each once, in their order.
        tokens = dict.fromkeys(substrings(value))
        return "(" + f" {operator} ".join(_contains(text, token) for token in tokens) + ")"

    return combined


def _is_any(text: str, value: str) -> str:
    return f"{text} IN ({', '.join(literal(token) for token in dict.fromkeys(value.split(';')))})"


def _image(text: str, value: str) -> str:
    whole = f"{text} = {literal(value)}"
    return whole if "\\" in value else f"({whole} OR {_ends_with(text, chr(92) + value)})"


_contains, _starts_with, _ends_with = _call("contains"), _call("starts_with"), _call("ends_with")

_SQL: Mapping[str, Callable[[str, str], str]] = {
    "is": _compare("="),
    "is not": _compare("<>"),
    "contains": _contains,
    "excludes": _not(_contains),
    "contains any": _tokens("OR"),
    "contains all": _tokens("AND"),
    "excludes any": _not(_tokens("OR")),
    "excludes all": _not(_tokens("AND")),
    "is any": _is_any,
    "begin with": _starts_with,
    "not begin with": _not(_starts_with),
    "end with": _ends_with,
    "not end with": _not(_ends_with),
    "less than": _compare("<"),
    "more than": _compare(">"),
    "image": _image,
}
