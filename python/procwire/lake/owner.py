"""Ownership of a lake: it belongs to the account that records into it, even if root's commands write to it, too."""

from __future__ import annotations

import os
from contextlib import suppress

from procwire.errors import UsageError
from procwire.sources.folders import STATE_FOLDER
from procwire.sources.privileges import recording_account

__all__ = ["hand_over"]


def hand_over(location: str, user: str | None = None) -> None:
    """Change the owner of folders that root created in a lake to the account that owns the lake and must write there.

    location: resolved location of a lake; nothing happens unless this is root, or if root owns the lake. user: the
    account that records into the machine's own lake, as for `recording_account`; any other lake belongs to the owner of
    its folder.
    """
    if os.geteuid() != 0:
        return
    # Without the account nothing can record; and the recorder reports a folder whose owner cannot be changed.
    with suppress(UsageError, OSError):
        top = os.open(location, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if location == str((STATE_FOLDER / "lake").resolve()):
                account = recording_account(user)
                owner = account.pw_uid, account.pw_gid
            else:
                owner = os.fstat(top).st_uid, os.fstat(top).st_gid
            # Use descriptors, not paths: another account may rename entries meanwhile.
            for _, _, _, folder in os.fwalk(".", dir_fd=top):
                if os.fstat(folder).st_uid == 0 != owner[0]:
                    os.fchown(folder, *owner)
        finally:
            os.close(top)
