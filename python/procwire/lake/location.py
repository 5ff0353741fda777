"""Where the lake is."""

from __future__ import annotations

import os
from pathlib import Path

from procwire.sources.folders import STATE_FOLDER

__all__ = ["VARIABLE", "default_folder", "is_remote", "resolve"]

VARIABLE = "PROCWIRE_LAKE"
"""Environment variable that names the lake."""


def resolve(location: str | os.PathLike[str] | None = None) -> str:
    """The absolute path or the URI of the lake: `location`, else PROCWIRE_LAKE, else `default_folder`."""
    found = os.fspath(location) if location is not None else os.environ.get(VARIABLE) or str(default_folder())
    if found.startswith("file://"):
        found = found.removeprefix("file://")
    return found.rstrip("/") if is_remote(found) else str(Path(found).expanduser().resolve())


def default_folder() -> Path:
    """The account's own lake; root's is the machine's, where recorders that gave up root can write it."""
    if data := os.environ.get("XDG_DATA_HOME"):
        return Path(data, "procwire", "lake")
    if os.geteuid() == 0:
        return STATE_FOLDER / "lake"
    return Path.home() / ".local" / "share" / "procwire" / "lake"


def is_remote(location: str) -> bool:
    """Whether it is the URI of an object store, such as `s3://bucket/lake`."""
    return "://" in location
