"""Try again what others got in the way of: a bounded number of times, with growing random pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

__all__ = ["attempts"]

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.25
_DOUBLINGS = 8


def attempts(most: int) -> Iterator[int]:
    """Yield 0, 1 and so on, `most` numbers, and pause before each but the first.

    A pause is random, so that two who are in each other's way do not meet again: up to 2 ms at first, then up to twice
    as long each time, but never longer than 0.25 s.
    """
    for number in range(most):
        if number:
            time.sleep(random.uniform(0, min(_FIRST_PAUSE_S * 2 ** min(number, _DOUBLINGS), _LONGEST_PAUSE_S)))
        yield number
