"""The former names of what `sigma.summary` has."""

from __future__ import annotations

from procwire.sigma.summary import load_usable as loaded
from procwire.sigma.summary import summary as told_of

__all__ = ["loaded", "told_of"]
