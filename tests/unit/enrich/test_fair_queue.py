"""The queue of look-ups: those of one user make nobody else wait."""

from __future__ import annotations

import threading

from procwire.enrich.fair_queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    """Take what is there."""
    keys = []
    while queue._queues:
        key = queue.get()
        assert key is not None
        keys.append(key)
    return keys


def test_holders_take_turns_and_each_s_keys_stay_in_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(key, key[0])
    assert drained(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_has_most_makes_place_with_the_newest() -> None:
    queue: FairQueue[str] = FairQueue()
    for key in ("a1", "a2", "a3", "b1"):
        queue.put(key, key[0])
    assert queue.displace("c") == "a3"
    # They have two, and the other would have two: nobody has more.
    assert queue.displace("b") is None
    assert queue.displace("a") is None
    assert drained(queue) == ["a1", "b1", "a2"]
    assert queue.displace("a") is None


def test_a_queue_that_is_closed_gives_nothing_and_lets_those_go_who_wait() -> None:
    queue: FairQueue[str] = FairQueue()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(queue.get()))
    thread.start()
    queue.close()
    thread.join(60)
    assert taken == [None]
    queue.put("a1", "a")
    assert queue.get() is None
