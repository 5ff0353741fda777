"""Keep a recorder's memory small: it runs for months, beside all else on the machine."""

from __future__ import annotations

import ctypes
import gc
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["keep_memory_small", "return_memory", "return_unused"]

_libc = ctypes.CDLL(None)
# linux/mman.h
_MADV_DONTNEED = 4
# A library that is mapped to be read or run, but not written, and what /proc says of it.
_MAPPING = re.compile(
    r"^(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) r-[x-]p \S+ \S+ \S+ +/.*\.so\b.*\n(?P<sizes>(?:\w+:.*\n)*)",
    re.MULTILINE,
)
_UNWRITTEN = re.compile(r"^Anonymous: +0 kB$", re.MULTILINE)
# malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# Above the size of each piece or small batch: pages that are returned are expensive to get again.
_KEPT_BYTES = 1 << 20
_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def keep_memory_small() -> None:
    """Let the allocators return freed memory; call before threads start and Arrow is imported.

    One arena serves all threads, which seldom allocate at once; and Arrow uses malloc, not a pool of its own. Settings
    in the environment take precedence. Without glibc only the second applies.
    """
    os.environ.setdefault(_POOL, "system")
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        if "MALLOC_ARENA_MAX" not in os.environ:
            mallopt(_M_ARENA_MAX, 1)
        if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
            mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)


def return_memory() -> None:
    """Release the memory that setting up used."""
    gc.collect()
    return_unused()


def return_unused() -> None:
    """Release memory that malloc holds free, and library code, which the kernel maps again when it runs."""
    malloc_trim = getattr(_libc, "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
    with suppress(OSError, ValueError):
        for start, size in _unwritten_code(Path("/proc/self/smaps").read_text()):
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _MADV_DONTNEED)


def _unwritten_code(smaps: str) -> Iterator[tuple[int, int]]:
    """Yield start and size of library mappings that were never written, unlike those that relocation changed.

    smaps: the text of /proc/PID/smaps (proc(5)).
    """
    for mapping in _MAPPING.finditer(smaps):
        if _UNWRITTEN.search(mapping["sizes"]):
            start = int(mapping["start"], 16)
            yield start, int(mapping["end"], 16) - start
