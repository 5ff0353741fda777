"""Name why an input is left out: on purpose, or because it is not a log."""

from __future__ import annotations

__all__ = ["NoLogError", "NotFollowed"]


class NotFollowed(Exception):  # noqa: N818 - no error
    """Hold why an input is left out on purpose."""


class NoLogError(ValueError):
    """Report a file that was read, and is not a log."""
