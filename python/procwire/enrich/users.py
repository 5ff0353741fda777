"""Fill user_name: the name of the account of a process's uid."""

from __future__ import annotations

import pwd
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from procwire.enrich.lookups import Answer, Lookups
from procwire.files.watching import Watched

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["UserNames"]

_PASSWD = Path("/etc/passwd")
_KEPT_S = 600.0
# Accounts that come and go with a service (systemd's DynamicUser) may exist soon.
_UNKNOWN_KEPT_S = 60.0
_WAIT_S = 0.05
_NO_WAIT_S = 60.0
# (uid_t) -1
_NO_UID = 2**32 - 1
_MOST_DIGITS = len(str(_NO_UID))


class UserNames:
    """Fill user_name from user_id; null for a uid without an account.

    /etc/passwd first. A thread queries the system's name service for other accounts (LDAP, systemd), since that may
    take seconds: a batch waits for them 50 ms at most, and after a wait in vain none does for a minute.
    """

    def __init__(self, passwd: Path = _PASSWD) -> None:
        self._passwd = Watched(passwd, _parse_passwd)
        self._others: Lookups[int, str] = Lookups(_name_service, threads=1)
        self._no_wait_until_s = 0.0

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with user_name filled."""
        import pyarrow as pa

        from procwire.enrich.columns import Distinct, column, replaced

        uids = Distinct(column(batch, "user_id"))
        names = self._names(cast("list[int | None]", uids.values))
        return replaced(batch, "user_name", uids.spread(names, pa.string()))

    def name(self, uid: int) -> str | None:
        """Return the name of one account, by the same rules; None for a uid without one."""
        return self._names([uid])[0]

    def close(self) -> None:
        """Let the thread end, without waiting for it."""
        self._others.close()

    def _names(self, uids: list[int | None]) -> list[str | None]:
        accounts = self._passwd.parsed
        names = [accounts.get(uid) for uid in uids]
        missing = [uid for uid, name in zip(uids, names, strict=True) if name is None and uid not in (None, _NO_UID)]
        if not missing:
            return names
        others: dict[int | None, str | None] = dict(zip(missing, self._ask(missing), strict=True))
        return [name or others.get(uid) for uid, name in zip(uids, names, strict=True)]

    def _ask(self, uids: Sequence[int | None]) -> list[str | None]:
        wait_s = _WAIT_S if time.monotonic() >= self._no_wait_until_s else 0.0
        names = self._others.look_up(uids, wait_s)
        if wait_s and self._others.awaits(uids):
            self._no_wait_until_s = time.monotonic() + _NO_WAIT_S
        return names


def _parse_passwd(text: str) -> dict[int | None, str]:
    accounts: dict[int | None, str] = {}
    for line in text.splitlines():
        name, *rest = line.split(":")
        # A line that begins with + or - is an instruction to the name service.
        if (
            len(rest) >= 2
            and rest[1].isdecimal()
            and len(rest[1]) <= _MOST_DIGITS
            and not name.startswith(("+", "-", "#"))
        ):
            # The first account of a uid is the one that getpwuid gives.
            accounts.setdefault(int(rest[1]), name)
    return accounts


def _name_service(uid: int) -> Answer[str]:
    try:
        return Answer(pwd.getpwuid(uid).pw_name, _KEPT_S)
    except KeyError:
        return Answer(None, _UNKNOWN_KEPT_S)
