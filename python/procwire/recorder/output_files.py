"""Check and create the files of a recording: root creates them for the account that writes them."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from procwire.errors import UsageError
from procwire.files import RECORDING_MODE, Place, find, make_folder
from procwire.sinks.formats import format_named
from procwire.sources.folders import LOG_FOLDER
from procwire.targets import check_targets

if TYPE_CHECKING:
    from pathlib import Path

    from procwire.recorder.settings import RecordingSettings, Target

__all__ = ["check_files", "make_files", "open_ledger", "opening"]


def check_files(settings: RecordingSettings) -> None:
    """Raise UsageError for outputs that must not be written, see `targets.check_targets`."""
    # A folder that does not exist is created, or refused, later.
    paths = [target.path for target in settings.targets if target.path is None or target.path.parent.exists()]
    # Existing files are continued, or set aside, except for the ledger.
    check_targets([*[("-o", path) for path in paths], ("--ledger", settings.ledger)], settings.inputs, force=True)
    check_targets([("--ledger", settings.ledger)], force=settings.force)


def open_ledger(path: Path, account: pwd.struct_passwd | None) -> TextIO:
    """Open the ledger's file, which is empty until the recording ends; `check_files` has checked it.

    It is always a new file, owned by the account that writes it; so root opens nothing that somebody has put there, and
    the folder may be closed to the account.

    Raises UsageError if it cannot be written.
    """
    try:
        with find(path) as place:
            return os.fdopen(_opened_ledger(place, account), "w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _opened_ledger(place: Place, account: pwd.struct_passwd | None) -> int:
    found = place.stat()
    if found is not None and (place.descriptor is not None or not stat.S_ISREG(found.st_mode)):
        return place.open(os.O_WRONLY)
    made = place.make(RECORDING_MODE, replace=found is not None)
    if account is not None:
        os.fchown(made, account.pw_uid, account.pw_gid)
    return made


def make_files(settings: RecordingSettings, account: pwd.struct_passwd) -> None:
    """Create files that do not exist, for the account that will write them: it may not be allowed to.

    Existing files stay unchanged. If root cannot reach a folder by a trusted path, the account tries itself.
    """
    # Parquet files appear later: for these the folder must be writable.
    files = [(target.path, format_named(target.way)) for target in settings.targets if target.path is not None]
    if any(path.parent == LOG_FOLDER for path, _ in files) and not LOG_FOLDER.exists():
        make_folder(LOG_FOLDER, 0o750, (account.pw_uid, account.pw_gid))
    for path in [path for path, way in files if way.recorded != "parts"]:
        with suppress(OSError, UsageError), find(path) as place:
            made = place.make(RECORDING_MODE)
            os.fchown(made, account.pw_uid, account.pw_gid)
            os.close(made)


@contextmanager
def opening(settings: RecordingSettings, target: Target, account: pwd.struct_passwd | None) -> Iterator[None]:
    """Raise errors of opening an output in the block as UsageError, which names the account."""
    try:
        yield
        rotates = settings.rotate_bytes is not None or settings.rotate_s is not None
        if rotates and target.path is not None and not os.access(target.path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"cannot rotate {target.path}: its folder cannot be written")
    except (OSError, UsageError) as error:
        text = str(error) if isinstance(error, UsageError) else f"cannot write {target.name}: {error.strerror}"
        hint = f" (recording as {account.pw_name}: --user NAME for another)" if account else ""
        raise UsageError(text + hint) from error
