"""Translation of regular expressions from RE2, which DuckDB uses, to Java, which Spark uses."""

from __future__ import annotations

import re

from procwire.errors import UsageError

__all__ = ["java_pattern", "java_replacement", "once"]

# Like RE2: only \n ends a line, and case is Unicode's.
_FLAGS = "(?du)"
_REST = "procwirerest"
# An escape, a character class with its escapes, or a `$` for the end of the text.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\$", re.DOTALL)
_OPTIONS = {"c": "", "i": "i", "s": "s"}


def java_pattern(pattern: str, options: str = "") -> str:
    """Translate a pattern for Java's engine. options: DuckDB's.

    Raises UsageError for an option that Java does not have.
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
    """Return Java's pattern and replacement for only the first match: Spark replaces all, so the rest is reinserted."""
    whole = java_replacement(replacement, first_group=1)
    return rf"({pattern})(?<{_REST}>(?s:.*))\z", f"{whole}${{{_REST}}}"


def java_replacement(replacement: str, first_group: int = 0) -> str:
    r"""Translate a replacement for Java: `\1` becomes `$1`, and characters that only Java interprets are escaped.

    first_group: number of the group with the entire match.
    """
    return re.sub(r"\\(\d)|\\(.)|(\$)", lambda match: _java_reference(match, first_group), replacement)


def _java_token(token: str) -> str:
    if token == "$":
        return r"\z"
    if token == r"\s":
        return r"[\t\n\f\r ]"
    # Java interprets a bracket, and `&&`, within a class as a nested class.
    return re.sub(r"\[(?!:)", r"\\[", token[1:]).join(("[", "")).replace("&&", r"&\&") if token[0] == "[" else token


def _java_reference(match: re.Match[str], first_group: int) -> str:
    if match[1]:
        # RE2 reads one digit, Java as many as there are groups.
        return f"${int(match[1]) + first_group}"
    return r"\$" if match[3] else f"\\{match[2]}"
