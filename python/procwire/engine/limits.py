"""What one connection may use of the machine: memory, spill space, time."""

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
"""How long a query may take unless its limit is another, in seconds."""
PREDICATE_S = 60.0
"""How long a predicate may take for one batch of rows, in seconds."""


Limit = Literal["time", "spill", "memory"]
EXCEEDED: dict[Limit, tuple[str, str]] = {
    "time": ("ran longer than its limit", "--timeout"),
    "spill": ("needs more temporary space than its limit", "--spill"),
    "memory": ("needs more memory than its limit", "--memory"),
}
"""What a query does that exceeds a limit, and the option that raises the limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a connection. What exceeds one is ended with a UsageError that names it.

    memory_bytes: of DuckDB's data; by default half of what the machine, or the process's cgroup, has. spill_bytes: of
    what does not fit in memory and lies in a temporary folder; by default half of what is free there. timeout_s: of
    one query, in seconds; None for no limit.
    """

    memory_bytes: int = field(default_factory=lambda: default_memory_bytes())
    spill_bytes: int = field(default_factory=lambda: default_spill_bytes())
    timeout_s: float | None = TIMEOUT_S


def exceeded(limit: Limit, amount: str = "", *, prefix: str = "") -> LimitError:
    """Return the error of a query that exceeds a limit; amount: the limit itself, such as `60 s`, where it is known."""
    what, option = EXCEEDED[limit]
    of = f" of {amount}" if amount else ""
    return LimitError(f"{prefix}the query {what}{of}: ask for less, or raise it with {option}")


def default_memory_bytes() -> int:
    """Return half of the memory that this process may use, in bytes."""
    most = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_cgroup_limits()]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        most.append(soft)
    return max(min(most) // 2, 1 << 20)


def default_spill_bytes() -> int:
    """Return half of what is free where temporary files lie, in bytes; 0 where that is unknown."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free // 2
    except OSError:
        return 0


def _cgroup_limits() -> list[int]:
    """Return the limits of the process's cgroup and those above it, in bytes; version 2, and version 1's own."""
    files = [_CGROUP / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("0::"):
                here = _CGROUP / line[3:].lstrip("/")
                files += [folder / "memory.max" for folder in (here, *here.parents) if folder.is_relative_to(_CGROUP)]
    found = []
    for file in files:
        # `max` is no number: no limit.
        with suppress(OSError, ValueError):
            found.append(int(file.read_text(encoding="ascii")))
    return found
