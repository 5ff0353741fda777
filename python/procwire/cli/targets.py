"""Refuse what must not be written, stdout included, before anything is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from procwire.errors import UsageError
from procwire.targets import check_files, is_input

__all__ = ["check_targets"]


def check_targets(
    targets: Iterable[tuple[str, Path | None]], inputs: Iterable[str | os.PathLike[str]] = (), *, force: bool = False
) -> None:
    """Raise UsageError for a target that must not be written, as `targets.check_files` does.

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
