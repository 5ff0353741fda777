"""The output of `procwire --version`."""

from __future__ import annotations

from procwire.version import __version__

__all__ = ["version_line"]


def version_line() -> str:
    """Return the program's name and version, `procwire 0.1.0`."""
    return f"procwire {__version__}"
