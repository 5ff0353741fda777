"""Identity of files: whether an output file is one of the inputs, under whatever name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from procwire.files.patterns import is_pattern, matches

__all__ = ["is_among"]

_STDIN = "-"


def is_among(found: os.stat_result, paths: Iterable[str | os.PathLike[str]]) -> bool:
    """Return whether a file is among those of `paths`: directly, behind a link, in a folder, or on stdin (`-`).

    paths: files, folders with all below them, and patterns, as `procwire read` takes them.
    """
    wanted = found.st_dev, found.st_ino
    return any((one.st_dev, one.st_ino) == wanted for one in _stats(paths))


def _stats(paths: Iterable[str | os.PathLike[str]]) -> Iterator[os.stat_result]:
    for path in [os.fspath(path) for path in paths]:
        if path == _STDIN:
            yield from _stat(0)
        elif os.path.lexists(path) or not is_pattern(path):
            yield from _below(path)
        else:
            for match, error in matches(path):
                if error is None:
                    yield from _below(match)


def _below(path: str) -> Iterator[os.stat_result]:
    yield from _stat(path)
    # Path's method would raise for a name that is too long, or in a folder that cannot be entered.
    if os.path.isdir(path):  # noqa: PTH112
        for folder, _, names in os.walk(path):
            for name in names:
                yield from _stat(os.path.join(folder, name))  # noqa: PTH118 - many, and a Path costs more


def _stat(file: str | int) -> Iterator[os.stat_result]:
    try:
        yield os.stat(file)  # noqa: PTH116 - a descriptor too
    except OSError:
        return
