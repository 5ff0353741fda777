"""What `procwire --version` says."""

from __future__ import annotations

__all__ = ["version_line"]


def version_line() -> str:
    """`procwire 0.1.0`."""
    # Here, since it takes longer to import than most verbs.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"procwire {version('procwire')}"
    except PackageNotFoundError:
        return "procwire (not installed)"
