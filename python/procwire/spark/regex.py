"""Regular expressions of RE2, which DuckDB has, as Java's, which Spark has."""

from __future__ import annotations

import re

from procwire.errors import UsageError

__all__ = ["java_pattern", "java_replacement", "once"]

# Only \n ends a line, and case is Unicode's, as RE2 has both.
_FLAGS = "(?du)"
_REST = "procwirerest"
# An escape, a class with what is escaped in it, or a `$` that stands for the very end.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\$", re.DOTALL)
_OPTIONS = {"c": "", "i": "i", "s": "s"}


def java_pattern(pattern: str, options: str = "") -> str:
    """The pattern for Java's engine; `options` are DuckDB's.

    Raises UsageError for an option that Java has no word for.
    """
    unknown = set(options) - {*_OPTIONS, "g"}
    if unknown:
        raise UsageError(
            f"SQL for Spark: found option {unknown.pop()!r} of a regular expression, expected c, g, i, or s"
        )
    flags = "".join(sorted({_OPTIONS.get(option, "") for option in options}))
    ends = _TOKEN.sub(lambda match: _java_token(match[0]), pattern)
    return f"{_FLAGS}{f'(?{flags})' if flags else ''}{ends}"


def once(pattern: str, replacement: str) -> tuple[str, str]:
    """Java's pattern and replacement for the first match alone, since Spark replaces all: the rest is put back."""
    whole = java_replacement(replacement, first_group=1)
    return rf"({pattern})(?<{_REST}>(?s:.*))\z", f"{whole}${{{_REST}}}"


def java_replacement(replacement: str, first_group: int = 0) -> str:
    r"""`\1` as `$1`, and what is special in Java alone as itself; `first_group` has the whole match."""
    return re.sub(r"\\(\d)|\\(.)|(\$)", lambda match: _java_reference(match, first_group), replacement)


def _java_token(token: str) -> str:
    if token == "$":
        return r"\z"
    if token == r"\s":
        return r"[\t\n\f\r ]"
    # Java reads a bracket, and `&&`, in a class as more of a class.
    return re.sub(r"\[(?!:)", r"\\[", token[1:]).join(("[", "")).replace("&&", r"&\&") if token[0] == "[" else token


def _java_reference(match: re.Match[str], first_group: int) -> str:
    if match[1]:
        # RE2 takes one digit, Java as many as there are groups.
        return f"${int(match[1]) + first_group}"
    return r"\$" if match[3] else f"\\{match[2]}"
