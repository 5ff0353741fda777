"""What must not be written to, refused before anything is read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from procwire.errors import UsageError
from procwire.files import Place, find, is_among, taken
from procwire.lake.location import is_lake

__all__ = ["check_targets"]


def check_targets(
    targets: Iterable[tuple[str, Path | None]], inputs: Iterable[str | os.PathLike[str]] = (), *, force: bool = False
) -> None:
    """Refuse what must not be written: inputs, files of a lake, a file for two things, files that are there.

    targets: options and files; None is stdout, which may be an input too (`>>`). inputs: what is read, as
    `files.is_among` takes it. force: whether files that are there are written all the same.

    Raises UsageError, which names the option.
    """
    inputs = list(inputs)
    seen: dict[tuple[int, int, str], str] = {}
    for option, path in targets:
        if path is None:
            if option == "-o" and _is_input(_stdout(), inputs):
                raise UsageError("found stdout, which is one of the files that are read: write to another one")
            continue
        with find(path) as place:
            found = place.stat()
            if _is_input(found, inputs):
                raise UsageError(f"found {option} {path}, which is one of the files that are read: name another one")
            if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
                _check_file(option, place, seen, force=force)


def _check_file(option: str, place: Place, seen: dict[tuple[int, int, str], str], *, force: bool) -> None:
    if _in_lake(place.path):
        raise UsageError(f"found {option} {place.path} in the folder of a lake: name a file outside of it")
    if not force and place.stat() is not None:
        raise taken(place)
    folder = os.fstat(place.folder)
    key = folder.st_dev, folder.st_ino, place.name
    if key in seen:
        raise UsageError(f"found {place.path} for {seen[key]} and for {option}, expected a file for each")
    seen[key] = option


def _is_input(found: os.stat_result | None, inputs: list[str | os.PathLike[str]]) -> bool:
    # Only what keeps its bytes can be both: stdin and stdout are often one terminal, or one socket.
    keeps = found is not None and (stat.S_ISREG(found.st_mode) or stat.S_ISBLK(found.st_mode))
    return found is not None and keeps and is_among(found, inputs)


def _in_lake(path: Path) -> bool:
    return any((folder / "_delta_log").is_dir() or is_lake(str(folder)) for folder in path.resolve().parents)


def _stdout() -> os.stat_result | None:
    try:
        return os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
