"""Children of a traffic program."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable

__all__ = ["fork", "reap"]


def fork(work: Callable[[], None]) -> int:
    """Do `work` in a child, which exits right after it; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        # At once: nothing of the parent's is run or flushed twice.
        os._exit(status)


def reap(children: Iterable[int]) -> None:
    """Wait for all of them. Raises RuntimeError if one failed."""
    failed = [child for child in list(children) if os.waitpid(child, 0)[1]]
    if failed:
        raise RuntimeError(f"children {failed} failed")
