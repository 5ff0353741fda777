"""Hold connections as columns of numbers: the generator's rows, before it looks up texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fleet.chance import Integers

__all__ = ["EPHEMERAL_FROM", "Rows", "rows"]

EPHEMERAL_FROM, EPHEMERAL_UNTIL = 49_152, 65_536


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold connections, column by column; each row as the machine that logs it sees it."""

    time_ms: Integers
    machine: Integers
    program: Integers
    start_s: Integers
    """When the process started: with machine and program, which process it is."""
    remote: Integers
    """The other end, a number of Endpoints."""
    port: Integers
    """Of the end that was spoken to."""
    client_port: Integers
    """Of the end that spoke first."""
    udp: NDArray[np.bool_]
    inbound: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, which: NDArray[np.bool_] | Integers | slice) -> Rows:
        """Return some of the rows, by a mask, numbers or a slice."""
        return Rows(*(getattr(self, field.name)[which] for field in fields(self)))

    @classmethod
    def concat(cls, parts: Sequence[Rows]) -> Rows:
        """Concatenate the rows of all parts."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def rows(
    random: np.random.Generator,
    time_ms: Integers,
    *,
    machine: ArrayLike,
    program: ArrayLike,
    start_s: ArrayLike,
    remote: ArrayLike,
    port: ArrayLike,
    client_port: ArrayLike | None = None,
    udp: bool = False,
    inbound: bool = False,
) -> Rows:
    """Make a row for each time, with single values for all rows; without `client_port` it is an ephemeral one."""
    count = len(time_ms)
    if client_port is None:
        client_port = random.integers(EPHEMERAL_FROM, EPHEMERAL_UNTIL, count)
    whole, flag = partial(_column, count, np.int64), partial(_column, count, np.bool_)
    return Rows(
        whole(time_ms),
        whole(machine),
        whole(program),
        whole(start_s),
        whole(remote),
        whole(port),
        whole(client_port),
        flag(udp),
        flag(inbound),
    )


def _column(count: int, kind: type, value: ArrayLike) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(value, kind), count)
