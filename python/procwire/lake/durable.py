"""What is acknowledged lies on the disk, not only in the machine's memory: a power cut must not take it back.

That a file is there does not say so, neither that its folder names it: each has to be synced, and the folders up to
the lake's. Stores of objects do this by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from procwire.lake.chain import LOG, checkpoint_path, commit_path

__all__ = ["sync", "sync_commits"]


def sync(root: str, paths: Iterable[str]) -> None:
    """Have files, by paths below the folder `root`, and the folders on the way on the disk.

    Raises OSError if it fails.
    """
    top = Path(root)
    found = [top / path for path in paths]
    folders = {parent for file in found for parent in file.parents if parent.is_relative_to(top)}
    for path in [*found, *sorted(folders, reverse=True)]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_commits(root: str, after: int) -> None:
    """The commits of the Delta table `root` behind version `after`: one is worth nothing without those before it.

    Raises OSError if it fails.
    """
    found: list[str] = []
    version = after + 1
    while Path(root, path := commit_path(version)).exists():
        checkpoint = [checkpoint_path(version), f"{LOG}/_last_checkpoint"]
        found += [path, *(path for path in checkpoint if Path(root, checkpoint[0]).exists())]
        version += 1
    sync(root, found)
