"""What `procwire --version` says."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["version_line"]


def version_line() -> str:
    """`procwire 0.1.0`."""
    try:
        return f"procwire {version('procwire')}"
    except PackageNotFoundError:
        return "procwire (not installed)"
