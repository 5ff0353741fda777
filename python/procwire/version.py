"""The version, which tests hold to that of the package's metadata: to ask these takes longer than most verbs do."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
