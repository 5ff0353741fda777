"""Sizes of inputs, and numbers of runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MB = 1_000_000
DEFAULT_DIRECTORY = Path(__file__).resolve().parent / "data"
DEFAULT_SIZE_MB = 512
_SLICE_MB = 64
_OVER_2_GB = 2_200


@dataclass(frozen=True)
class Scale:
    """Hold sizes in MB, and numbers of runs."""

    directory: Path
    size: int
    slice_size: int
    """Size of the part read by peers that are too slow for the complete input."""
    memory_size: int
    runs: int
    starts: int

    @classmethod
    def full(cls, directory: Path, size: int) -> Scale:
        """Return the scale for figures."""
        return cls(directory, size, min(size, _SLICE_MB), _OVER_2_GB, runs=5, starts=20)

    @classmethod
    def quick(cls, directory: Path) -> Scale:
        """Return the scale for trying the scripts."""
        return cls(directory, size=16, slice_size=4, memory_size=32, runs=1, starts=3)
