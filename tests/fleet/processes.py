"""Make processes: each has a ProcessGuid of its own, while process ids repeat, as on Windows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fleet.chance import Integers, uniform
from fleet.machines import DAY_S
from fleet.programs import PROGRAMS, program_number
from fleet.rows import Rows

__all__ = ["Processes"]

_SYSTEM_PID = 4
# Windows counts process ids in fours. Each program has a range of its own, so that no two share one at a time;
# programs that run for seconds only share a range, day by day.
_LIVES = 120
_TURNS = np.array([program_number(key) for key in ("backup", "browser-update", "word", "remote-desktop", "powershell")])


class Processes:
    """Hold the processes of some rows, as texts to look up by `of`."""

    def __init__(self, rows: Rows, seed: int) -> None:
        key = (rows.machine * len(PROGRAMS) + rows.program) << 33 | rows.start_s
        keys, self.of = np.unique(key, return_inverse=True)
        self._seed = seed
        self._start_s = keys & ((1 << 33) - 1)
        self._machine, self._program = np.divmod(keys >> 33, len(PROGRAMS))

    def columns(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Return the columns of each process: guid, process id, image, user."""
        machines, programs = self._machine.tolist(), [PROGRAMS[number] for number in self._program.tolist()]
        users = [
            program.user or f"CORP\\user{machine:04d}" for machine, program in zip(machines, programs, strict=True)
        ]
        images = [program.image for program in programs]
        return pa.array(self._guids()), pa.array(self._ids()), pa.array(images), pa.array(users)

    def _ids(self) -> Integers:
        life = (uniform(self._seed, 81, self._machine, self._start_s) * _LIVES).astype(np.int64)
        turn = (np.searchsorted(_TURNS, self._program) + self._start_s // DAY_S) % len(_TURNS)
        slot = np.where(np.isin(self._program, _TURNS), _TURNS[turn], self._program)
        return np.where(self._program == 0, _SYSTEM_PID, 4 * (2 + life * len(PROGRAMS) + slot))

    def _guids(self) -> list[str]:
        machine_id = (uniform(self._seed, 82, self._machine) * (1 << 32)).astype(np.int64).tolist()
        key = (uniform(self._seed, 83, self._machine, self._program, self._start_s) * (1 << 40)).astype(np.int64)
        # The start's halves stand swapped, the key's first 16 bits are 0: see procwire.guid.
        return [
            f"{{{machine:08X}-{start & 0xFFFF:04X}-{start >> 16:04X}-{number & 0xFFFF:04X}-{number >> 16:06X}000500}}"
            for machine, start, number in zip(machine_id, self._start_s.tolist(), key.tolist(), strict=True)
        ]
