"""Keep the rights for opening a sensor in one thread, while the other threads have none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["KeptRights"]

_T = TypeVar("_T")


class KeptRights:
    """Keep the capabilities of this process in one thread beyond `privileges.lock_privileges`.

    On Linux each thread has its own, and the threads that it starts inherit them. So this one starts before the lock,
    makes one call, and ends: Arrow's threads, which last, come from a thread that has none. Root, who becomes another
    account later, needs no thread for this, but opens the sensor in one too: modules are imported meanwhile.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._thread.submit(int).result()

    def begin(self, work: Callable[[], _T]) -> Callable[[], _T]:
        """Start `work` with the rights; the returned function waits for it, and then no thread has them.

        The function returns what `work` returns, or raises what `work` raises.
        """
        future = self._thread.submit(work)

        def finish() -> _T:
            try:
                return future.result()
            finally:
                self._thread.shutdown()

        return finish
