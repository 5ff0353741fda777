"""Refuse files that must not be written: inputs, files of a lake, existing ones, one file for two outputs."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from procwire.errors import UsageError
from procwire.files import Place, find, is_among, taken
from procwire.lake.location import is_lake

__all__ = ["check_files", "check_targets", "is_input"]


def check_files(
    targets: Iterable[tuple[str, Path]], inputs: Iterable[str | os.PathLike[str]] = (), *, force: bool = False
) -> None:
    """Raise UsageError for the first target that must not be written; the message names it and its option.

    targets: options and files. inputs: what is read, as `files.is_among` takes it. force: whether existing files may
    be overwritten.
    """
    inputs = list(inputs)
    seen: dict[tuple[int, int, str], str] = {}
    for option, path in targets:
        with find(path) as place:
            found = place.stat()
            if is_input(found, inputs):
                raise UsageError(f"found {option} {path}, which is one of the files that are read: name another one")
            if place.descriptor is None and (found is None or stat.S_ISREG(found.st_mode)):
                _check_file(option, place, seen, force=force)


def is_input(found: os.stat_result | None, inputs: list[str | os.PathLike[str]]) -> bool:
    """Return whether a file is one of the inputs. Only regular files and block devices are: others keep no bytes."""
    # stdin and stdout are often one terminal, or one socket.
    keeps = found is not None and (stat.S_ISREG(found.st_mode) or stat.S_ISBLK(found.st_mode))
    return found is not None and keeps and is_among(found, inputs)


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


def _in_lake(path: Path) -> bool:
    return any((folder / "_delta_log").is_dir() or is_lake(str(folder)) for folder in path.resolve().parents)


def check_targets(
    targets: Iterable[tuple[str, Path | None]], inputs: Iterable[str | os.PathLike[str]] = (), *, force: bool = False
) -> None:
    """Raise UsageError for a target that must not be written, as `check_files` does.

    targets: options and files; None is stdout, which may be an input too (`>>`), and is refused then.
    """
    targets, inputs = list(targets), list(inputs)
    if ("-o", None) in targets and is_input(_stdout(), inputs):
        raise UsageError("found stdout, which is one of the files that are read: write to another one")
    check_files([(option, path) for option, path in targets if path is not None], inputs, force=force)


def _stdout() -> os.stat_result | None:
    try:
        return os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
