"""Handle signals: Ctrl-C and SIGTERM end a reading, never the writing of a batch; SIGHUP is counted."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Hangups", "Signals"]


class Signals:
    """While entered, turns the first signal of these numbers into KeyboardInterrupt, outside of `held` parts."""

    def __init__(self, numbers: Iterable[int] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self._numbers = tuple(numbers)
        self.received: int | None = None
        self._held = False
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Signals:
        for number in self._numbers:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes in here is raised at the end; a second one at once, for a pipe may be stuck."""
        self.hold()
        try:
            yield
        finally:
            self._held = False
        self.check()

    def hold(self) -> None:
        """Only note the first signal from now on, as within `held`: the caller looks at `received`."""
        self._held = True

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


class Hangups:
    """While entered, SIGHUP is kept to be asked for, and ends nothing."""

    def __init__(self) -> None:
        self._count = 0
        self.take = self.taker()

    def __enter__(self) -> Hangups:
        self._before = signal.signal(signal.SIGHUP, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGHUP, self._before)

    def taker(self) -> Callable[[], bool]:
        """Return a function that says whether one came since its last call, or since the start; each for itself."""
        taken = 0

        def take() -> bool:
            nonlocal taken
            before, taken = taken, self._count
            return taken > before

        return take

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._count += 1
