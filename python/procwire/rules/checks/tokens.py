"""The tokens of `contains any` and its like, as Sysmon cuts them (microsoft/SysmonCommon, rules.c, NextItem)."""

from __future__ import annotations

__all__ = ["tokens"]


def tokens(value: str) -> tuple[str, ...]:
    """What Sysmon looks for, token by token.

    It takes an empty token for text of unknown length: all the rest of the value, the `;` included.

    >>> tokens("a;b"), tokens("a;"), tokens(";a")
    (('a', 'b'), ('a', ''), (';a', 'a'))
    """
    found = []
    start = 0
    for token in value.split(";"):
        found.append(token or value[start:])
        start += len(token) + 1
    return tuple(found)
