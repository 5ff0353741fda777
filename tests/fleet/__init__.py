"""Generate a fleet: months of made-up but realistic traffic of hundreds of machines, with planted truth.

`generate` returns batches of `event.LIVE_SCHEMA` as the machines' Sysmon logs would, and what was planted among them.
The same seed gives the same rows. Names end in `.example`; addresses of the internet are drawn at random, and nothing
connects to them.
"""

from __future__ import annotations

from fleet.generation import Fleet, Made, generate, of_size
from fleet.planted import KINDS, Beacon, Kind, Planted

__all__ = ["KINDS", "Beacon", "Fleet", "Kind", "Made", "Planted", "generate", "of_size"]
