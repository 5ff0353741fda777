"""The machine's own lake belongs to the account that records, whoever of root's verbs writes to it first."""

from __future__ import annotations

import os
from contextlib import suppress

from procwire.errors import UsageError
from procwire.sources.folders import STATE_FOLDER
from procwire.sources.privileges import recording_account

__all__ = ["hand_over"]


def hand_over(location: str, user: str | None = None) -> None:
    """Give the folders that root made in the machine's own lake to the account that records: it must write in them.

    location: of a lake, resolved. Another lake than the machine's is left as it is; so is any if this is not root.
    user: the account that records, as for `recording_account`.
    """
    if os.geteuid() != 0 or location != str((STATE_FOLDER / "lake").resolve()):
        return
    # Without the account nothing can record; and a folder that cannot be had is for the recorder to complain about.
    with suppress(UsageError, OSError):
        account = recording_account(user)
        top = os.open(location, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # Descriptors, not paths: another account may rename what is in there meanwhile.
            for _, _, _, folder in os.fwalk(".", dir_fd=top):
                if os.fstat(folder).st_uid == 0:
                    os.fchown(folder, account.pw_uid, account.pw_gid)
        finally:
            os.close(top)
