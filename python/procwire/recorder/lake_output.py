"""Open the lake of a recording (`--to lake`), whose folder root makes for the account that writes it."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from procwire import files
from procwire.errors import UsageError
from procwire.lake.location import is_remote, resolve

if TYPE_CHECKING:
    from procwire.lake.recording import LakeOutput

__all__ = ["make_folder", "open_lake"]


def make_folder(location: str | None, account: pwd.struct_passwd) -> None:
    """Create the folder of a lake that does not exist, owned by the account. Raises UsageError."""
    found = resolve(location)
    if is_remote(found) or Path(found).exists():
        return
    try:
        files.make_folder(Path(found), 0o750, (account.pw_uid, account.pw_gid))
    except OSError as error:
        raise UsageError(f"cannot create the lake {found}: {error.strerror}") from error


def open_lake(location: str | None) -> LakeOutput:
    """Return the lake output of a new recording. Raises UsageError if this account cannot write the lake."""
    from procwire.lake import Lake
    from procwire.lake.recording import LakeOutput
    from procwire.sources.boot import machine_id

    lake = Lake.open(location, create=True)
    if not is_remote(lake.location) and not os.access(lake.table.uri, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write the lake {lake.location}: permission denied")
    return LakeOutput(lake, f"recording:{machine_id():08x}:{os.urandom(8).hex()}", socket.gethostname())
