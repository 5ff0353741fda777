"""Commits that a power cut tore: what it leaves at the end of a table's log, in a folder.

deltalake writes a commit under another name and then links it, so on a machine that runs no commit is ever seen half
written. A power cut may leave the name without the bytes, of commits that were not synced yet: the last ones, which
nobody was told were done (`durable`). They are put aside; deltalake would take an empty one for a commit without rows.
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
# Of writers that were at work at once.
_MOST = 16
_PARQUET = b"PAR1"
_logger = logging.getLogger(__name__)


def put_torn_aside(root: str) -> list[Path]:
    """Rename what is torn at the end of the log of the Delta table `root`, and say so; where it is now.

    Raises LakeError if it cannot be renamed, DamageError if it is no power cut's: whole commits follow it, or it is one
    of too many.
    """
    log = Path(root, _LOG)
    if not _torn(log):
        return []
    # Two that open the lake must not both find it torn: the second would rename the commit that the first then made.
    with _locked(log):
        return [_aside(path) for path in _torn(log)]


def is_aside(path: str) -> bool:
    """Whether that is the path of a file that was put aside."""
    return _ASIDE in path.rpartition("/")[2]


def _torn(log: Path) -> list[Path]:
    """Files to put aside, the last commit first."""
    names = sorted(path.name for path in log.iterdir()) if log.is_dir() else []
    newest_first = [log / name for name in reversed(names) if name.endswith(".checkpoint.parquet")]
    whole = next((path for path in newest_first if _is_parquet(path)), None)
    torn = [path for path in newest_first if whole is None or path.name > whole.name]
    # The hint may name one of them; without it the newest that is there is taken.
    torn += [log / _HINT] if torn and _HINT in names else []
    # A reader begins at the newest checkpoint: commits up to it are not read.
    begin = whole.name[:20] if whole else ""
    return _torn_commits([log / name for name in names if _COMMIT.fullmatch(name) and name[:20] > begin]) + torn


def _torn_commits(commits: Sequence[Path]) -> list[Path]:
    """The last of them, if they are torn, the very last first."""
    torn = [path for path in commits if not _is_commit(path)]
    if not torn:
        return []
    behind = len(commits) - commits.index(torn[0]) - 1
    has_rows = torn[0].name == f"{0:020}.json" and any(torn[0].parents[1].glob("day=*"))
    if behind >= len(torn) or len(torn) > _MOST or has_rows:
        raise DamageError(
            f"{torn[0]}: found a broken commit ({torn[0].stat().st_size:,} bytes) with {behind} behind it, expected "
            "lines of JSON: get it from a backup, or see lake repair"
        )
    return torn[::-1]


def _is_commit(path: Path) -> bool:
    """Whether it has lines of JSON, and nothing else."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    except (ValueError, RecursionError):
        return False
    except FileNotFoundError:
        # It is past its time, and was deleted just now.
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
        raise LakeError(f"{path}: found a torn commit, which cannot be put aside: {error.strerror}") from error
    _logger.warning("%s: torn, as a power cut leaves it (%s bytes); put aside as %s", path, f"{size:,}", target.name)
    return target


@contextmanager
def _locked(log: Path) -> Iterator[None]:
    """Among processes that put aside; the folder is synced at the end."""
    handle = os.open(log, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)
