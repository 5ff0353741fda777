"""The limits of unpacking, as an option that verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procwire.errors import UsageError
from procwire.units import size_bytes

if TYPE_CHECKING:
    from procwire.sources.limits import UnpackLimits

__all__ = ["unpack_limits"]

_NAMES = ("ratio", "size", "members", "nesting")


def unpack_limits(text: str | None) -> UnpackLimits:
    """Return the limits with those that a text such as `size=200GiB,members=1000000` sets; the others are the defaults.

    Raises UsageError for other texts.
    """
    from procwire.sources.limits import UnpackLimits

    found: dict[str, int] = {}
    for part in (text or "").split(",") if text is not None else ():
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in _NAMES or name in found:
            raise UsageError(
                f"--unpack-limits: found {part.strip()!r}, expected NAME=N, "
                f"with each of {', '.join(_NAMES)} once at most"
            )
        if name == "size":
            found[name] = size_bytes(value)
        elif value.isdecimal() and value.isascii() and 0 < len(value) < 10 and int(value):
            found[name] = int(value)
        else:
            raise UsageError(f"--unpack-limits: found {part.strip()!r}, expected {name}= and a number from 1 on")
    return UnpackLimits(**found)
