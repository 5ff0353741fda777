"""The lake's location, and other places where one may be."""

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
"""The folders of a lake's tables; `schema.LAYOUTS` describes them, but imports Arrow."""
_BELOW_HOME = Path(".local", "share", "procwire", "lake")


def resolve(location: str | os.PathLike[str] | None = None) -> str:
    """Return the absolute path or the URI of the lake: `location`, else PROCWIRE_LAKE, else `default_folder`.

    It depends on account and environment: a process that changes its account calls this before, and passes the result
    on.

    Raises UsageError for an empty location, and if the account's home is needed but unknown.
    """
    found = os.fspath(location) if location is not None else os.environ.get(VARIABLE) or str(default_folder())
    if not found:
        raise UsageError("found an empty location of a lake, expected a folder or a URI")
    if found.startswith("file://"):
        found = found.removeprefix("file://")
    if is_remote(found):
        return found.rstrip("/")
    try:
        return str(Path(found).expanduser().resolve())
    except RuntimeError as error:
        raise UsageError(f"found no home folder for {found}, expected a folder without ~") from error


def default_folder() -> Path:
    """Return the folder of the account's own lake; root's is the machine's, where recorders without root can write it.

    Raises UsageError if the account's home is unknown.
    """
    # The XDG specification says to ignore a relative path.
    if (data := os.environ.get("XDG_DATA_HOME", "")).startswith("/"):
        return Path(data, "procwire", "lake")
    if os.geteuid() == 0:
        return STATE_FOLDER / "lake"
    return home_folder() / _BELOW_HOME


def other_lakes(location: str | os.PathLike[str] | None) -> str:
    """Return sentences for an error that name other lakes; empty if there are none, or if the user named a lake.

    Each account has its own lake, and users may record as root and query as another user, or the reverse.
    """
    if location is not None or os.environ.get(VARIABLE):
        return ""
    return "".join(f". {hint}" for hint in (*_machines(), *_users()))


def check_location(location: str | None) -> None:
    """Raise UsageError for a lake behind a link that others may have planted.

    location: as the user gave it; None for that of the environment or the default, which nobody can plant.
    """
    found = (location or os.environ.get(VARIABLE, "")).removeprefix("file://")
    if not found or is_remote(found):
        return
    lake = Path(os.path.expanduser(found))  # noqa: PTH111 - it raises nothing where there is no home
    for folder in TABLES:
        check_links(lake / folder / "_delta_log")


def is_lake(folder: str) -> bool:
    """Return whether a folder is a lake; False if it cannot be read."""
    # Unlike Path's methods, it does not raise if the folder cannot be read.
    return os.path.isdir(os.path.join(folder, "connections", "_delta_log"))  # noqa: PTH112, PTH118


def is_remote(location: str) -> bool:
    """Return whether a location is the URI of an object store, such as `s3://bucket/lake`."""
    return "://" in location


def _machines() -> Iterator[str]:
    """Yield a sentence if the machine's recorder has a lake: how this account reads it."""
    folder = STATE_FOLDER / "lake"
    if folder == default_folder():
        return
    try:
        os.scandir(folder / "connections").close()
    except PermissionError:
        yield f"The machine's own, {folder}, is closed to this account: query it with sudo"
    except OSError:
        return
    else:
        yield f"The machine has one: --lake {folder}"


def _users() -> Iterator[str]:
    """Yield a sentence if the user who became root by sudo has a lake."""
    with suppress(KeyError, OSError):
        user = pwd.getpwnam(os.environ["SUDO_USER"])
        folder = Path(user.pw_dir) / _BELOW_HOME
        if os.geteuid() == 0 and user.pw_uid != 0 and (folder / "connections").is_dir():
            yield f"{user.pw_name} has one: --lake {folder}, or without sudo"
