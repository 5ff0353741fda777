"""The rights that it takes to open a sensor, kept by one thread while others, which do something else, have none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["KeptRights"]

_T = TypeVar("_T")


class KeptRights:
    """A thread that keeps the capabilities of this process beyond `privileges.lock_privileges`.

    On Linux each thread has its own, and those that it begins inherit them. So this one begins before the lock, makes
    one call, and ends: Arrow's threads, which last, come from a thread that has none. Root, who becomes another
    account later, needs no thread for this, but opens the sensor in one too: modules are imported meanwhile.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._thread.submit(int).result()

    def begin(self, work: Callable[[], _T]) -> Callable[[], _T]:
        """Begin `work` with the rights; what is returned waits for it, and then nothing has them any more.

        It returns what `work` returns, or raises what that raises.
        """
        future = self._thread.submit(work)

        def finish() -> _T:
            try:
                return future.result()
            finally:
                self._thread.shutdown()

        return finish
