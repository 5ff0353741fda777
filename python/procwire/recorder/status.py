"""Show who records (`procwire record --status`): each recorder keeps a file with its state in the runtime folder."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procwire.bounded import read_bounded
from procwire.errors import RecordError, UsageError
from procwire.recorder.ledger import RecordingLedger
from procwire.sources import kernel
from procwire.sources.boot import boot_id
from procwire.sources.folders import RUNTIME_FOLDER, check_runtime_folder, make_runtime_folder, runtime_folder
from procwire.sources.processes import start_ticks

__all__ = ["Prospects", "StatusFile", "prospects", "running_recorders"]

_PATTERN = "recorder-*.json"
_TRIES = 5
_VERSION = 1
"""Of the state's form; a state without one is of the first form."""
_MOST_BYTES = 1 << 20


class StatusFile:
    """Holds the state of this recorder, for as long as it lives.

    folder: made if it must be. The file stays open: privileges may be dropped after. Raises OSError where it
    cannot be written, or where others can write the folder.
    """

    def __init__(self, folder: Path) -> None:
        make_runtime_folder(folder)
        for path in folder.glob(_PATTERN):
            if _alive(path) is None:
                path.unlink(missing_ok=True)
        self._path = folder / _PATTERN.replace("*", str(os.getpid()))
        self._path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o644)
        # Whatever the umask: others may see who records.
        os.fchmod(self._file, 0o644)
        self._identity = {
            "version": _VERSION,
            "process_id": os.getpid(),
            "start_ticks": start_ticks(os.getpid()),
            "boot_id": boot_id(),
        }

    def write(self, ledger: RecordingLedger) -> None:
        """Write the state as it is now."""
        data = (json.dumps({**self._identity, **ledger.to_dict()}) + "\n").encode()
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))

    def close(self) -> None:
        """Let go of the file, and remove it where that is still allowed."""
        os.close(self._file)
        with suppress(OSError):
            self._path.unlink()


def running_recorders() -> Iterator[dict[str, Any]]:
    """Yield the state of every running recorder that this account may see.

    It is `RecordingLedger.to_dict`, `version` (absent from an older procwire's) and the recorder's `process_id`.

    Raises RecordError, after the others, for a recorder of a newer procwire.
    """
    newer = []
    for folder in dict.fromkeys((RUNTIME_FOLDER, runtime_folder())):
        try:
            check_runtime_folder(folder)
        except OSError:
            continue
        for path in sorted(folder.glob(_PATTERN)):
            state = _alive(path)
            if state is None:
                continue
            version = state.get("version", 1)
            if version in range(_VERSION + 1):
                yield state
            else:
                newer.append(f"{path}: found version {version}, expected {_VERSION} or older: a newer procwire records")
    if newer:
        raise RecordError("\n".join(newer))


@dataclass(frozen=True, slots=True)
class Prospects:
    """Hold what this machine, and this process, have for the eBPF sensor."""

    kernel_release: str
    missing_capabilities: list[str]
    """By name; empty if this process has them all."""
    has_btf: bool
    cgroup_folder: Path | None
    """Where control groups version 2 are mounted; None if they are not."""


def prospects() -> Prospects:
    """Return what this machine has for the eBPF sensor; the poll sensor needs nothing."""
    return Prospects(os.uname().release, kernel.missing_capabilities(), kernel.has_btf(), kernel.cgroup2_folder())


def _alive(path: Path) -> dict[str, Any] | None:
    """The state, if the process that wrote it lives; None also for what is no state."""
    state = _read(path)
    # These three stay what they are in every version.
    if state is None or state.get("boot_id") != boot_id() or not isinstance(state.get("process_id"), int):
        return None
    return state if start_ticks(state["process_id"]) == state.get("start_ticks") else None


def _read(path: Path) -> dict[str, Any] | None:
    for _ in range(_TRIES):
        with suppress(OSError, ValueError, RecursionError, UsageError):
            state = json.loads(read_bounded(path, _MOST_BYTES))
            return state if isinstance(state, dict) else None
        # It is written in place, so a reader may come between.
        time.sleep(0.01)
    return None
