"""Limit unpacking: how large a small hostile file may become."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RATIO_FROM_BYTES", "Budget", "ExhaustedError", "UnpackLimitError", "UnpackLimits"]

RATIO_FROM_BYTES = 256 << 20
"""Up to so many bytes any ratio is fine: logs that were allocated ahead are mostly zeros."""


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """Limit what a packed file may become. Data beyond a limit is damage: it is reported, and not read."""

    ratio: int = 1_000
    """Bytes out for each byte in, of every packing by itself, once it has given 256 MiB."""
    size: int = 64 << 30
    """Bytes out, over all that one file or stream holds, at every level of packing."""
    members: int = 100_000
    """Members of archives, over all that one file or stream holds."""
    nesting: int = 4
    """Packings within each other."""


class UnpackLimitError(ValueError):
    """Report a packed file that exceeds a limit."""

    def __init__(self, found: str, name: str) -> None:
        super().__init__(f"{found}: --unpack-limits {name}=N allows more")


class ExhaustedError(UnpackLimitError):
    """Report a limit on the entire file: the rest of it is not unpacked."""


class Budget:
    """Hold what is left of the limits of one file or stream."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._bytes = 0
        self._members = 0

    @property
    def members_left(self) -> int:
        """Return how many members may still follow."""
        return max(self._limits.members - self._members, 0)

    def check_nesting(self, depth: int) -> None:
        """Raise UnpackLimitError if archives are nested too deeply."""
        if depth >= self._limits.nesting:
            raise UnpackLimitError(f"found more than {self._limits.nesting:,} packings within each other", "nesting")

    def check_member(self) -> None:
        """Count a member. Raises ExhaustedError if it is one too many, or if there are no bytes left for it."""
        self.take(0)
        self._members += 1
        if self._members > self._limits.members:
            raise ExhaustedError(f"found more than {self._limits.members:,} members", "members")

    def take(self, count: int) -> None:
        """Count unpacked bytes. Raises ExhaustedError beyond the limit."""
        self._bytes += count
        if self._bytes > self._limits.size:
            raise ExhaustedError(f"unpacks to more than {self._limits.size:,} bytes", "size")

    def check_ratio(self, packed: int, unpacked: int) -> None:
        """Raise UnpackLimitError if so few packed bytes became too many unpacked ones."""
        if unpacked > RATIO_FROM_BYTES and unpacked > packed * self._limits.ratio:
            raise UnpackLimitError(f"unpacks to more than {self._limits.ratio:,} times its size", "ratio")
