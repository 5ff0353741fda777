"""Keep the rights for opening a sensor in one thread, while the other threads have none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

__all__ = ["KeptRights"]

_T = TypeVar("_T")

_END_S = 5.0


class KeptRights:
    """Keep the capabilities of this process in one thread beyond `privileges.lock_privileges`.

    On Linux each thread has its own, and the threads that it starts inherit them. So this one starts before the lock,
    makes one call, and ends: Arrow's threads, which last, come from a thread that has none. Root, who becomes another
    account later, needs no thread for this, but opens the sensor in one too: modules are imported meanwhile.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rights")
        self._thread_id = self._thread.submit(threading.get_native_id).result()

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
                _wait_for_end(self._thread_id)

        return finish


def _wait_for_end(thread_id: int) -> None:
    """Wait until the kernel has let go of a thread. Python joins it a moment earlier, while it still has its rights."""
    end_s = time.monotonic() + _END_S
    while Path(f"/proc/self/task/{thread_id}").exists() and time.monotonic() < end_s:
        time.sleep(0.001)
