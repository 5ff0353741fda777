"""Torn commits: what a power cut leaves at the end of a table's log, in a folder.

deltalake writes a commit under another name and then links it, so on a running machine no commit is ever visible half
written. A power cut may leave the name without the bytes, for commits that were not synced yet: the last ones, which
were never acknowledged (`durable`). They are set aside; deltalake would read an empty one as a commit without rows.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from procwire.errors import DamageError, LakeError

__all__ = ["is_aside", "put_torn_aside"]

_LOG = "_delta_log"
_HINT = "_last_checkpoint"
_ASIDE = ".torn-"
_COMMIT = re.compile(r"\d{20}\.json")
# The most torn commits: those of writers that were active at the same time.
_MOST = 16
_PARQUET = b"PAR1"
_logger = logging.getLogger(__name__)


def put_torn_aside(root: str) -> list[Path]:
    """Rename torn files at the end of the log of the Delta table `root`, log a warning, and return their new paths.

    Raises LakeError if one cannot be renamed, DamageError if no power cut explains them: intact commits follow, or
    there are too many.
    """
    log = Path(root, _LOG)
    if not _torn(log):
        return []
    # Two processes must not both find the same torn commit: the second would rename the first one's new commit.
    with _locked(log):
        return [_aside(path) for path in _torn(log)]


def is_aside(path: str) -> bool:
    """Return whether a path is that of a file that was set aside."""
    return _ASIDE in path.rpartition("/")[2]


def _torn(log: Path) -> list[Path]:
    """Return the files to set aside, the last commit first."""
    names = sorted(path.name for path in log.iterdir()) if log.is_dir() else []
    newest_first = [log / name for name in reversed(names) if name.endswith(".checkpoint.parquet")]
    whole = next((path for path in newest_first if _is_parquet(path)), None)
    torn = [path for path in newest_first if whole is None or path.name > whole.name]
    # The hint may name one of them; without a hint, readers use the newest checkpoint that exists.
    torn += [log / _HINT] if torn and _HINT in names else []
    # A reader starts at the newest checkpoint: commits up to it are not read.
    begin = whole.name[:20] if whole else ""
    return _torn_commits([log / name for name in names if _COMMIT.fullmatch(name) and name[:20] > begin]) + torn


def _torn_commits(commits: Sequence[Path]) -> list[Path]:
    """Return the torn commits at the end, the last one first. Raises DamageError if no power cut explains them."""
    torn = [path for path in commits if not _is_commit(path)]
    if not torn:
        return []
    behind = len(commits) - commits.index(torn[0]) - 1
    has_rows = torn[0].name == f"{0:020}.json" and any(torn[0].parents[1].glob("day=*"))
    if behind >= len(torn) or len(torn) > _MOST or has_rows:
        raise DamageError(
            f"{torn[0]}: found a broken commit ({torn[0].stat().st_size:,} bytes) with {behind} after it, expected "
            "lines of JSON: restore it from a backup, or see lake repair"
        )
    return torn[::-1]


def _is_commit(path: Path) -> bool:
    """Return whether a file consists of lines of JSON."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    except (ValueError, RecursionError):
        return False
    except FileNotFoundError:
        # It expired, and was deleted just now.
        return True
    return bool(lines) and all(isinstance(line, dict) for line in lines)


def _is_parquet(path: Path) -> bool:
    content = path.read_bytes()
    return len(content) > 2 * len(_PARQUET) and content.startswith(_PARQUET) and content.endswith(_PARQUET)


def _aside(path: Path) -> Path:
    size = path.stat().st_size
    target = path.with_name(f"{path.name}{_ASIDE}{time.time_ns()}")
    try:
        path.rename(target)
    except OSError as error:
        raise LakeError(f"{path}: found a torn commit, which cannot be renamed: {error.strerror}") from error
    _logger.warning("%s: torn, as by a power cut (%s bytes); renamed to %s", path, f"{size:,}", target.name)
    return target


@contextmanager
def _locked(log: Path) -> Iterator[None]:
    """Lock the folder against other processes that rename torn commits; sync it at the end."""
    handle = os.open(log, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)
