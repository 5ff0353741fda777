"""Where a recorder keeps what outlives it, and what outlives it until the next boot."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from procwire.errors import UsageError

__all__ = ["RUNTIME_FOLDER", "STATE_FOLDER", "home_folder", "runtime_folder", "state_folder"]

RUNTIME_FOLDER = Path("/run/procwire")
"""The machine's own: emptied at every boot."""
STATE_FOLDER = Path("/var/lib/procwire")


def runtime_folder() -> Path:
    """Where this account may write what lasts until the next boot; it need not exist."""
    # systemd makes a service's own folders, and names them so.
    if "RUNTIME_DIRECTORY" in os.environ:
        return Path(os.environ["RUNTIME_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return RUNTIME_FOLDER
    if "XDG_RUNTIME_DIR" in os.environ:
        return Path(os.environ["XDG_RUNTIME_DIR"], "procwire")
    return Path(tempfile.gettempdir(), f"procwire-{os.geteuid()}")


def state_folder() -> Path:
    """Where this account may write what lasts; it need not exist."""
    if "STATE_DIRECTORY" in os.environ:
        return Path(os.environ["STATE_DIRECTORY"].split(":")[0])
    if os.geteuid() == 0:
        return STATE_FOLDER
    return Path(os.environ.get("XDG_STATE_HOME") or home_folder() / ".local" / "state", "procwire")


def home_folder() -> Path:
    """Return the home of this account. Raises UsageError where neither HOME nor the account database knows one."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise UsageError(f"found no home of user {os.geteuid()}, expected one: HOME names it") from error
