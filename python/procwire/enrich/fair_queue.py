"""Queue keys for threads, so that nobody who queues many makes others wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from threading import Condition
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

K = TypeVar("K")


class FairQueue(Generic[K]):
    """Hold the keys of each holder in a queue of its own, and take from these in turn. Safe for several threads."""

    def __init__(self) -> None:
        # Whose turn is next comes first.
        self._queues: dict[Hashable, deque[K]] = {}
        self._changed = Condition()
        self._closed = False

    def put(self, key: K, holder: Hashable) -> None:
        """Add a key behind those of its holder."""
        with self._changed:
            self._queues.setdefault(holder, deque()).append(key)
            self._changed.notify()

    def get(self) -> K | None:
        """Return the next key, wait for one if there is none; return None once the queue is closed."""
        with self._changed:
            while not self._queues and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            holder, keys = next(iter(self._queues.items()))
            key = keys.popleft()
            del self._queues[holder]
            if keys:
                self._queues[holder] = keys
            return key

    def displace(self, holder: Hashable) -> K | None:
        """Make place for one key of a holder: remove and return the newest key of the holder who has most.

        Return None if no other holder has more keys than this one with one more.
        """
        with self._changed:
            if not self._queues:
                return None
            most, keys = max(self._queues.items(), key=lambda item: len(item[1]))
            own = self._queues.get(holder, ())
            if len(keys) <= len(own) + 1:
                return None
            key = keys.pop()
            if not keys:
                del self._queues[most]
            return key

    def close(self) -> None:
        """Let everyone who waits, or comes, have None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
