"""The package's version. A test compares it with the metadata, which take longer to read than most commands run."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
