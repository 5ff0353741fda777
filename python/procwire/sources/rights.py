"""The rights that it takes to open a sensor, kept by one thread while all others have none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["KeptRights"]

_T = TypeVar("_T")


class KeptRights:
    """A thread that keeps the capabilities of this process beyond `privileges.lock_privileges`.

    On Linux each thread has its own, and those that it begins inherit them. So this one begins before the lock, makes
    one call, and ends: Arrow's threads, which last, come from a thread that has none.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._thread.submit(int).result()

    def call(self, work: Callable[[], _T]) -> _T:
        """Do `work` with the rights, and give them up; what it raises is raised here."""
        try:
            return self._thread.submit(work).result()
        finally:
            self._thread.shutdown()
