"""The whole command line."""

from __future__ import annotations

from procwire.cli.verbs import app_of

__all__ = ["app"]

app = app_of()
