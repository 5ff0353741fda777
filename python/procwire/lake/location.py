"""Where the lake is, and where else one may be."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from procwire.choices import EVENT_TABLES
from procwire.errors import UsageError
from procwire.files import check_links
from procwire.sources.folders import STATE_FOLDER, home_folder

__all__ = ["TABLES", "VARIABLE", "check_location", "default_folder", "is_lake", "is_remote", "other_lakes", "resolve"]

VARIABLE = "PROCWIRE_LAKE"
"""Environment variable that names the lake."""
TABLES = (*EVENT_TABLES, "readings")
"""The folders of a lake's tables; `schema.LAYOUTS` says what is in them, which takes Arrow to say."""
_BELOW_HOME = Path(".local", "share", "procwire", "lake")


def resolve(location: str | os.PathLike[str] | None = None) -> str:
    """Return the absolute path or the URI of the lake: `location`, else PROCWIRE_LAKE, else `default_folder`.

    It depends on account and environment: a process that changes its account asks before, and passes the result on.

    Raises UsageError for an empty location, and where the account's home is needed and unknown.
    """
    found = os.fspath(location) if location is not None else os.environ.get(VARIABLE) or str(default_folder())
    if not found:
        raise UsageError("found an empty name of a lake, expected a folder or a URI")
    if found.startswith("file://"):
        found = found.removeprefix("file://")
    if is_remote(found):
        return found.rstrip("/")
    try:
        return str(Path(found).expanduser().resolve())
    except RuntimeError as error:
        raise UsageError(f"found no home for {found}, expected a folder without ~") from error


def default_folder() -> Path:
    """Return the account's own lake; root's is the machine's, where recorders that gave up root can write it.

    Raises UsageError where the account's home is unknown.
    """
    # A relative path there is to be ignored, says the XDG specification.
    if (data := os.environ.get("XDG_DATA_HOME", "")).startswith("/"):
        return Path(data, "procwire", "lake")
    if os.geteuid() == 0:
        return STATE_FOLDER / "lake"
    return home_folder() / _BELOW_HOME


def other_lakes(location: str | os.PathLike[str] | None) -> str:
    """Name the lakes that were not asked for, as sentences for an error; empty if there are none, or if one was named.

    Somebody records as root and asks as a user, or the other way round: each account has a lake of its own.
    """
    if location is not None or os.environ.get(VARIABLE):
        return ""
    return "".join(f". {hint}" for hint in (*_machines(), *_users()))


def check_location(location: str | None) -> None:
    """Refuse a lake that lies behind a link which others may have planted.

    location: as it was given; else that of the environment, or the default, which nobody can plant. Raises UsageError.
    """
    found = (location or os.environ.get(VARIABLE, "")).removeprefix("file://")
    if not found or is_remote(found):
        return
    lake = Path(os.path.expanduser(found))  # noqa: PTH111 - it raises nothing where there is no home
    for folder in TABLES:
        check_links(lake / folder / "_delta_log")


def is_lake(folder: str) -> bool:
    """Tell whether a folder is a lake; False for what cannot be looked into."""
    # Unlike Path's, it raises nothing for what cannot be looked into.
    return os.path.isdir(os.path.join(folder, "connections", "_delta_log"))  # noqa: PTH112, PTH118


def is_remote(location: str) -> bool:
    """Tell whether it is the URI of an object store, such as `s3://bucket/lake`."""
    return "://" in location


def _machines() -> Iterator[str]:
    """Say whether there is the lake of the machine's recorder, and how this account reads it."""
    folder = STATE_FOLDER / "lake"
    if folder == default_folder():
        return
    try:
        os.scandir(folder / "connections").close()
    except PermissionError:
        yield f"The machine's own, {folder}, is closed to this account: ask it with sudo"
    except OSError:
        return
    else:
        yield f"The machine has one: --lake {folder}"


def _users() -> Iterator[str]:
    """Say whether the user who became root by sudo has a lake."""
    with suppress(KeyError, OSError):
        user = pwd.getpwnam(os.environ["SUDO_USER"])
        folder = Path(user.pw_dir) / _BELOW_HOME
        if os.geteuid() == 0 and user.pw_uid != 0 and (folder / "connections").is_dir():
            yield f"{user.pw_name} has one: --lake {folder}, or without sudo"
