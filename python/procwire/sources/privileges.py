"""Give up root: become another account, with no capability in any set, irrevocably.

On Linux each thread has its own rights; only the change of account, which glibc makes, reaches all threads, and takes
their capabilities with it. So the steps that make it irrevocable come first, before any other thread starts (Arrow and
DuckDB start some), for threads inherit them; the account changes last, when all is open that needs root.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from procwire.errors import RecordError, UsageError

__all__ = [
    "CAP_DAC_READ_SEARCH",
    "CAP_SYS_PTRACE",
    "can_change_account",
    "drop_privileges",
    "lock_privileges",
    "recording_account",
]

CAP_DAC_READ_SEARCH = 2
CAP_SYS_PTRACE = 19
_CAP_SETGID, _CAP_SETUID = 6, 7

# linux/prctl.h, linux/capability.h
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 8, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_EPERM = 1
_LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
_ACCOUNTS = ("procwire", "nobody")

_libc = ctypes.CDLL(None, use_errno=True)


def recording_account(name: str | None = None) -> pwd.struct_passwd:
    """Return the account called `name`; without a name `procwire` if it exists, else `nobody`.

    Raises UsageError where there is none.
    """
    for candidate in (name,) if name is not None else _ACCOUNTS:
        with suppress(KeyError):
            account = pwd.getpwnam(candidate)
            if account.pw_uid == 0:
                raise UsageError(f"found --user {candidate}, who is root, expected an account without privileges")
            return account
    raise UsageError(f"found no account {name or ' or '.join(_ACCOUNTS)}, expected one to record as: --user NAME")


def can_change_account() -> bool:
    """Return whether this process is root, and can become another account: a container's may not."""
    effective = int(Path("/proc/thread-self/status").read_text().partition("CapEff:")[2].split()[0], 16)
    return os.geteuid() == 0 and bool(effective >> _CAP_SETUID & 1 and effective >> _CAP_SETGID & 1)


def lock_privileges() -> None:
    """Prevent any gain of privileges: none from setuid programs, no capability for an account but root.

    Call it before there are other threads. A process that cannot become another account loses its capabilities here.

    Raises RecordError where the kernel refuses.
    """
    with _refusals():
        _clear_bounding_set()
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if not can_change_account():
            _set_capabilities(())


def drop_privileges(account: pwd.struct_passwd, keep: Collection[int] = ()) -> None:
    """Become `account` permanently, with no capability but those of `keep`, and these in this thread only.

    Raises RecordError if any thread has anything else left, or locked its privileges too late.
    """
    with _refusals():
        _prctl(_PR_SET_KEEPCAPS, int(bool(keep)))
        os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        _prctl(_PR_SET_KEEPCAPS, 0)
        _set_capabilities(keep)
        _prctl(_PR_SET_DUMPABLE, 0)
    _check(account, keep)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(f"cannot give up privileges: {error.strerror}") from error


def _clear_bounding_set() -> None:
    for capability in range(int(_LAST_CAPABILITY.read_text()) + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            # Without CAP_SETPCAP; no_new_privs then keeps us from ever drawing on it.
            if error.errno != _EPERM:
                raise


def _set_capabilities(keep: Collection[int]) -> None:
    wanted = sum(1 << capability for capability in keep)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; the low halves first, then the high ones.
    sets = (ctypes.c_uint32 * 6)(wanted & 0xFFFFFFFF, wanted & 0xFFFFFFFF, 0, wanted >> 32, wanted >> 32, 0)
    if _libc.capset(header, sets) != 0:
        _raise()


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, *map(ctypes.c_ulong, (argument, 0, 0, 0))) != 0:
        _raise()


def _raise() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


def _check(account: pwd.struct_passwd, keep: Collection[int]) -> None:
    for status in Path("/proc/self/task").glob("*/status"):
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        allowed = sum(1 << capability for capability in keep) if status.parent.name == str(os.getpid()) else 0
        left = [name for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") if int(fields[name], 16) & ~allowed]
        if {int(number) for number in fields["Uid"].split()} != {account.pw_uid}:
            left.append("Uid")
        if int(fields["NoNewPrivs"]) != 1:
            left.append("NoNewPrivs")
        if left:
            raise RecordError(f"cannot give up privileges: thread {status.parent.name} keeps its {', '.join(left)}")
