"""Resolve slow questions: in threads of their own, with answers cached for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from procwire.enrich.fair_queue import FairQueue

__all__ = ["Answer", "HolderOf", "Lookups"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
HolderOf = Callable[[int], Hashable]
"""Returns the user who needs the key at an index."""

_FAILURE_KEPT_S = 300.0
# An expired answer stays valid while it is queried again: better than a name that comes and goes.
_STALE_S = 3600.0


class Answer(NamedTuple, Generic[V]):
    """Hold what was found, None for nothing, and for how many seconds it is valid."""

    value: V | None
    kept_s: float


class Lookups(Generic[K, V]):
    """Cache the answers of `resolve`, for use by one thread, which waits only in `look_up` with `wait_s`.

    `at_sight` returns what needs no look-up: an answer, or None to query. All is bounded: `threads` (daemonic, started
    when needed), `waiting_limit` queries under way (more are dropped, and counted), `size` stored answers. Queries are
    shared fairly among the users who need them: threads serve these in turn; the one with most waiting makes place.
    """

    def __init__(
        self,
        resolve: Callable[[K], Answer[V]],
        *,
        threads: int,
        at_sight: Callable[[K], Answer[V] | None] | None = None,
        waiting_limit: int = 1_024,
        size: int = 65_536,
    ) -> None:
        self._resolve = resolve
        self._at_sight = at_sight
        self._thread_limit = threads
        self._waiting_limit = waiting_limit
        self._generation_size = size // 2
        # Value, and when it expires. Two generations: used entries move to the young one, and when that is full
        # the old one is dropped: as good as least recently used, and a hit costs only a dict access.
        self._young: dict[K, tuple[V | None, float]] = {}
        self._old: dict[K, tuple[V | None, float]] = {}
        self._waiting: set[K] = set()
        self._questions: FairQueue[K] = FairQueue()
        self._answers: SimpleQueue[tuple[K, Answer[V] | None]] = SimpleQueue()
        self._threads: list[Thread] = []
        self._closed = False
        self.asked = 0
        """Questions handed to the threads."""
        self.answered = 0
        """Of these, how many had an answer other than nothing."""
        self.failed = 0
        """Of these, how many ended in an error that `resolve` does not know."""
        self.dropped = 0
        """Queries not made because too many were under way."""

    def look_up(
        self, keys: Sequence[K | None], wait_s: float = 0.0, holder_of: HolderOf = lambda _: None
    ) -> list[V | None]:
        """Return what is known of each key, else None; query the unknown ones, and await them for `wait_s` in all.

        holder_of: called for keys that are queried; all are one holder's by default.
        """
        found = self._known(keys, holder_of)
        if wait_s > 0 and self.awaits(keys):
            self._await(keys, wait_s)
            found = self._known(keys, holder_of)
        return found

    def awaits(self, keys: Sequence[K | None]) -> bool:
        """Return whether a query for any of the keys is under way."""
        return not self._waiting.isdisjoint(keys)

    def close(self) -> None:
        """Let each thread end after its current query, without waiting for them."""
        self._closed = True
        self._questions.close()

    def _known(self, keys: Sequence[K | None], holder_of: HolderOf) -> list[V | None]:
        while not self._answers.empty():
            self._keep(*self._answers.get())
        now_s = time.monotonic()
        young = self._young
        found: list[V | None] = []
        for index, key in enumerate(keys):
            if key is None:
                found.append(None)
                continue
            entry = young.get(key)
            if entry is None or entry[1] <= now_s:
                entry = self._renewed(key, now_s, index, holder_of)
                young = self._young
            found.append(None if entry is None else entry[0])
        return found

    def _renewed(self, key: K, now_s: float, index: int, holder_of: HolderOf) -> tuple[V | None, float] | None:
        """The entry of a key that has none, or an old one, or one that ran out."""
        entry = self._young.get(key) or self._old.get(key)
        if entry is not None and entry[1] + _STALE_S <= now_s:
            entry = None
        if entry is None and self._at_sight is not None and (answer := self._at_sight(key)) is not None:
            entry = (answer.value, now_s + answer.kept_s)
        if entry is None or entry[1] <= now_s:
            self._ask(key, index, holder_of)
        if entry is not None:
            self._remember(key, entry)
        return entry

    def _remember(self, key: K, entry: tuple[V | None, float]) -> None:
        if len(self._young) >= self._generation_size and key not in self._young:
            self._young, self._old = {}, self._young
        self._young[key] = entry

    def _ask(self, key: K, index: int, holder_of: HolderOf) -> None:
        if self._closed or key in self._waiting:
            return
        holder = holder_of(index)
        if len(self._waiting) >= self._waiting_limit:
            self.dropped += 1
            displaced = self._questions.displace(holder)
            if displaced is None:
                return
            self.asked -= 1
            self._waiting.discard(displaced)
        self.asked += 1
        self._waiting.add(key)
        self._questions.put(key, holder)
        if len(self._threads) < min(self._thread_limit, len(self._waiting)):
            thread = Thread(target=self._work, name="procwire-lookup", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _await(self, keys: Sequence[K | None], wait_s: float) -> None:
        end_s = time.monotonic() + wait_s
        while self.awaits(keys) and (left_s := end_s - time.monotonic()) > 0:
            try:
                self._keep(*self._answers.get(timeout=left_s))
            except Empty:
                return

    def _keep(self, key: K, answer: Answer[V] | None) -> None:
        self._waiting.discard(key)
        if answer is None:
            self.failed += 1
            answer = Answer(None, _FAILURE_KEPT_S)
        self.answered += answer.value is not None
        self._remember(key, (answer.value, time.monotonic() + answer.kept_s))

    def _work(self) -> None:
        while (key := self._questions.get()) is not None:
            try:
                answer = self._resolve(key)
            except Exception:
                # A library may raise anything: the thread must survive, and the error is counted.
                answer = None
            self._answers.put((key, answer))
