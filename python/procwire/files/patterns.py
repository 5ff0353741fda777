"""Patterns of paths, matched as by a shell; the matches include folders that cannot be read."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["is_pattern", "matches"]

is_pattern = glob.has_magic


def matches(pattern: str) -> list[tuple[str, OSError | None]]:
    """Return the paths that a pattern matches, in order, and unreadable folders in which it could match.

    Each item is a path and None, or an unreadable folder and its error. `**` stands for any folders, and as the last
    part for everything below. As in a shell, and in Python's own `glob` (which ignores errors), a wildcard does not
    match a leading dot. `**` follows no links.
    """
    parts = [part for part in re.sub(r"(/\*\*)+(?=/|$)", "/**", f"/{pattern}").split("/") if part]
    found = dict(_below("/" if pattern.startswith("/") else "", parts))
    return sorted(found.items())


_Matches = Iterator[tuple[str, OSError | None]]


def _below(folder: str, parts: Sequence[str]) -> _Matches:
    part, rest = parts[0], parts[1:]
    if not rest and part == "**":
        yield folder or os.curdir, None
    elif not is_pattern(part):
        yield from _into(os.path.join(folder, part), rest)  # noqa: PTH118 - a leading ./ must stay
    else:
        if part == "**":
            yield from _below(folder, rest)
        try:
            with os.scandir(folder or os.curdir) as entries:
                found = [entry for entry in entries if _is_match(entry, part)]
        except NotADirectoryError:
            return
        except OSError as error:
            yield folder or os.curdir, error
            return
        for entry in found:
            path = os.path.join(folder, entry.name)  # noqa: PTH118
            yield from _below(path, parts) if part == "**" else _into(path, rest)


def _is_match(entry: os.DirEntry[str], part: str) -> bool:
    if part == "**":
        return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    return fnmatchcase(entry.name, part) and (part.startswith(".") or not entry.name.startswith("."))


def _into(path: str, rest: Sequence[str]) -> _Matches:
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield path, error
        return
    if not rest:
        yield path, None
    elif os.path.isdir(path):  # noqa: PTH112 - Path's raises what this takes for no folder
        yield from _below(path, rest)
