"""Locate a recorder's folders: for data that outlives it, and for data that lasts until the next boot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from procwire.errors import UsageError
from procwire.files import make_folder, trusted_folder

__all__ = [
    "LOG_FOLDER",
    "RUNTIME_FOLDER",
    "STATE_FOLDER",
    "check_runtime_folder",
    "home_folder",
    "make_runtime_folder",
    "runtime_folder",
    "state_folder",
]

RUNTIME_FOLDER = Path("/run/procwire")
"""The machine's own: emptied at every boot."""
STATE_FOLDER = Path("/var/lib/procwire")
LOG_FOLDER = Path("/var/log/procwire")
"""Where a recording's files go that nobody else names a folder for."""


def runtime_folder() -> Path:
    """Return the folder for this account's data that lasts until the next boot; it need not exist."""
    # systemd makes a service's own folders, and names them so.
    if "RUNTIME_DIRECTORY" in os.environ:
        return Path(os.environ["RUNTIME_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return RUNTIME_FOLDER
    if "XDG_RUNTIME_DIR" in os.environ:
        return Path(os.environ["XDG_RUNTIME_DIR"], "procwire")
    return _temporary()


def make_runtime_folder(folder: Path) -> None:
    """Make a runtime folder, unless it exists.

    Raises OSError if it cannot be made, or, as `check_runtime_folder` does, if it is not safe.
    """
    if not folder.exists():
        try:
            # Others may read it, to see who records; but not where anybody can make folders.
            make_folder(folder, 0o700 if folder == _temporary() else 0o755)
        except UsageError as error:
            raise OSError(errno.EPERM, str(error), os.fspath(folder)) from error
    check_runtime_folder(folder)


def check_runtime_folder(folder: Path) -> None:
    """Check that only root or this account can have put files into a runtime folder.

    Raises OSError where it does not exist, PermissionError where others can write it; below /tmp, where its name can be
    guessed, also where they can read it.
    """
    os.close(trusted_folder(folder, private=folder == _temporary()))


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.gettempdir(), f"procwire-{os.geteuid()}")


def state_folder() -> Path:
    """Return the folder for this account's lasting data; it need not exist."""
    if "STATE_DIRECTORY" in os.environ:
        return Path(os.environ["STATE_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return STATE_FOLDER
    return Path(os.environ.get("XDG_STATE_HOME") or home_folder() / ".local" / "state", "procwire")


def home_folder() -> Path:
    """Return the home of this account.

    Raises UsageError where neither HOME nor the account database has one.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError(f"found no home of user {os.geteuid()}, expected one: HOME names it") from error
