"""Keeps small what a recorder holds: it runs for months, beside whatever else the machine does."""

from __future__ import annotations

import ctypes
import gc
import os

__all__ = ["keep_memory_small", "return_memory"]

# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# Above what comes and goes with each piece or small batch: pages that are given back are dear to get again.
_KEPT_BYTES = 1 << 20
_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def keep_memory_small() -> None:
    """Let the allocators give back what is freed; before threads begin and Arrow is imported.

    One arena for all threads, which seldom allocate at once; and Arrow takes from malloc, not from a pool of its own.
    What the environment says of either stands. Without glibc only the second happens.
    """
    os.environ.setdefault(_POOL, "system")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        if "MALLOC_ARENA_MAX" not in os.environ:
            mallopt(_M_ARENA_MAX, 1)
        if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
            mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)


def return_memory() -> None:
    """Give back what setting up took."""
    gc.collect()
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
