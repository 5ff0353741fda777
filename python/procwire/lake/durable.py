"""Syncing to disk: a power cut must not lose what was acknowledged.

A file that exists may still be in memory only, and so may its folder's entry: both have to be synced, and every folder
up to the lake's. Object stores do this by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from procwire.lake.chain import LOG, checkpoint_path, commit_path

__all__ = ["sync", "sync_commits"]


def sync(root: str, paths: Iterable[str]) -> None:
    """Sync files, given by paths below the folder `root`, and the folders between, to disk.

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
    """Sync the commits of the Delta table `root` after version `after`: each is worthless without its predecessors.

    Raises OSError if it fails.
    """
    found: list[str] = []
    version = after + 1
    while Path(root, path := commit_path(version)).exists():
        checkpoint = [checkpoint_path(version), f"{LOG}/_last_checkpoint"]
        found += [path, *(path for path in checkpoint if Path(root, checkpoint[0]).exists())]
        version += 1
    sync(root, found)
