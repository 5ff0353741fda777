"""Limits of one connection: memory, spill space, time."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from procwire.errors import LimitError

__all__ = [
    "EXCEEDED",
    "PREDICATE_S",
    "TIMEOUT_S",
    "Limit",
    "Limits",
    "default_memory_bytes",
    "default_spill_bytes",
    "exceeded",
]

_CGROUP = Path("/sys/fs/cgroup")
TIMEOUT_S = 3_600.0
"""The default time limit of a query, in seconds."""
PREDICATE_S = 60.0
"""The time limit of a predicate for one batch of rows, in seconds."""


Limit = Literal["time", "spill", "memory"]
EXCEEDED: dict[Limit, tuple[str, str]] = {
    "time": ("ran longer than its limit", "--timeout"),
    "spill": ("needs more temporary space than its limit", "--spill"),
    "memory": ("needs more memory than its limit", "--memory"),
}
"""What a query did to exceed a limit, and the option that raises the limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold the limits of a connection. A query that exceeds one ends with a LimitError that names it.

    memory_bytes: size of DuckDB's data; by default half of the memory of the machine, or of the process's cgroup.
    spill_bytes: size of the data that does not fit in memory and goes to a temporary folder; by default half of the
    free space there. timeout_s: duration of one query, in seconds; None for no limit.
    """

    memory_bytes: int = field(default_factory=lambda: default_memory_bytes())
    spill_bytes: int = field(default_factory=lambda: default_spill_bytes())
    timeout_s: float | None = TIMEOUT_S


def exceeded(limit: Limit, amount: str = "", *, prefix: str = "") -> LimitError:
    """Return the error for a query that exceeds a limit. amount: the limit itself, such as `60 s`, if known."""
    what, option = EXCEEDED[limit]
    of = f" of {amount}" if amount else ""
    return LimitError(f"{prefix}the query {what}{of}: query less data, or raise the limit with {option}")


def default_memory_bytes() -> int:
    """Return half of the memory that this process may use, in bytes."""
    most = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_cgroup_limits()]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        most.append(soft)
    return max(min(most) // 2, 1 << 20)


def default_spill_bytes() -> int:
    """Return half of the free space for temporary files, in bytes; 0 if it is unknown."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free // 2
    except OSError:
        return 0


def _cgroup_limits() -> list[int]:
    """Return the limits of the process's cgroup and of those above it, in bytes; for version 1 only its own."""
    files = [_CGROUP / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("0::"):
                here = _CGROUP / line[3:].lstrip("/")
                files += [folder / "memory.max" for folder in (here, *here.parents) if folder.is_relative_to(_CGROUP)]
    found = []
    for file in files:
        # `max` is not a number: no limit.
        with suppress(OSError, ValueError):
            found.append(int(file.read_text(encoding="ascii")))
    return found
