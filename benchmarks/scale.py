"""How large inputs are and how often they are read."""

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
    """Sizes are in MB."""

    directory: Path
    size: int
    slice_size: int
    """What peers read that are too slow for the whole input."""
    memory_size: int
    runs: int
    starts: int

    @classmethod
    def full(cls, directory: Path, size: int) -> Scale:
        """For figures."""
        return cls(directory, size, min(size, _SLICE_MB), _OVER_2_GB, runs=5, starts=20)

    @classmethod
    def quick(cls, directory: Path) -> Scale:
        """To try the scripts."""
        return cls(directory, size=16, slice_size=4, memory_size=32, runs=1, starts=3)
