"""The private folder for data that does not fit in DuckDB's memory: removed at the end, or by the next process."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["spill_folder"]

_PREFIX = "procwire-spill-"


def spill_folder() -> str:
    """Create a folder that only this account can enter, and return its path; later calls return the same one.

    It is removed when the process ends. This call also removes folders that killed processes of the same account left.

    Raises OSError if temporary files cannot be created.
    """
    return _folder(os.getpid(), os.geteuid())


@cache
def _folder(process_id: int, user_id: int) -> str:
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_if_left(left, user_id)
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        # Hold the lock until the process ends, however it does: it shows others that the process is alive.
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if _locked(handle) and _is_still(path, handle):
            break
        os.close(handle)
    atexit.register(_remove_own, path, process_id)
    return path


def _remove_own(path: str, process_id: int) -> None:
    # A forked process inherits the parent's exit handlers.
    if os.getpid() == process_id:
        shutil.rmtree(path, ignore_errors=True)


def _remove_if_left(path: Path, user_id: int) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # Do not remove another account's folder, even as root.
        if os.fstat(handle).st_uid == user_id and _locked(handle):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still(path: str, handle: int) -> bool:
    """Return whether the folder still exists: another process may have removed it between creation and lock."""
    with suppress(OSError):
        return os.path.samestat(Path(path).lstat(), os.fstat(handle))
    return False
