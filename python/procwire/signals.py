"""Ctrl-C and SIGTERM: they end the reading, never the writing of a batch."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Signals"]


class Signals:
    """While entered, turns the first signal into KeyboardInterrupt, outside of `held` parts."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._held = False
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes in here is raised at the end; a second one at once, for a pipe may be stuck."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    @contextmanager
    def ended(self) -> Iterator[None]:
        """What a signal interrupts may end in an exception of its own, DuckDB's queries do: none leaves this part."""
        try:
            yield
        except BaseException:
            if self.received is None:
                raise

    def check(self) -> None:
        """Raise KeyboardInterrupt for a signal that was received, and whose exception did not come so far."""
        if self.received is not None:
            raise KeyboardInterrupt

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        again = self.received is not None
        self.received = number
        if again or not self._held:
            raise KeyboardInterrupt
