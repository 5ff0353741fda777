"""The hash chain of a table's commits: each names its predecessor, and a head file names the last one.

A commit's `procwire.previous` is the BLAKE3 of the preceding commit's file. So the head, a single digest, pins every
commit, and through the names of data files (`digested`) every byte of the table. A commit that was edited, forged or
deleted is detected. Anyone who can write to the lake can also forge a chain: as a defence, store the head elsewhere.

A reader starts from a checkpoint once older commits are cleaned up. The head and the later commits record the
checkpoint's digest. Commits older than the chain are not part of it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from blake3 import blake3

from procwire.errors import DamageError, LakeError
from procwire.lake.location import is_remote
from procwire.retry import attempts

__all__ = [
    "FOLDER",
    "LOG",
    "PREVIOUS",
    "REPAIRED",
    "Chain",
    "Examination",
    "Head",
    "checkpoint_path",
    "commit_path",
    "commit_version",
    "parsed",
]

FOLDER = "_procwire"
"""Subfolder of the lake with the head file of each table."""
LOG = "_delta_log"
PREVIOUS = "procwire.previous"
CHECKPOINT = "procwire.checkpoint"
REPAIRED = "procwire.repaired"
"""Metadata key of a repair's commit: the commits that it accepted as they are, `{version: digest}` as JSON."""

_HEAD_VERSION = 1
_TRIES = 3
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Head:
    """The last commit of a table."""

    commit: int
    digest: str
    checkpoint: tuple[int, str] | None = None
    """Version and BLAKE3 of the newest checkpoint."""

    def __str__(self) -> str:
        return f"{self.commit}:{self.digest}"


@dataclass(slots=True)
class Examination:
    """Hold the findings about a table's commits."""

    commits: int = 0
    unchained: int = 0
    """Number of commits by an older procwire, which are in no chain."""
    faults: dict[int, str] = field(default_factory=dict)
    """One line per version that is missing or altered; checkpoints and the head have keys below 0."""
    foreign: set[int] = field(default_factory=set)
    """Versions in `faults` that only lack the name of their predecessor: an older procwire may have written them."""
    missing: list[int] = field(default_factory=list)
    repaired: dict[int, str] = field(default_factory=dict)
    """Digests of the commits that a repair accepted, by version."""
    digests: Mapping[int, str] = field(default_factory=dict)
    """Digest of each existing commit, by version."""

    def lines(self) -> list[str]:
        """Return the faults, ordered by version."""
        return [self.faults[version] for version in sorted(self.faults)]


@dataclass(frozen=True)
class _Commits:
    """Hold the existing commits, by version."""

    actions: Mapping[int, Sequence[Mapping[str, Any]] | None]
    """None for a commit that cannot be parsed."""
    digests: Mapping[int, str]

    @cached_property
    def infos(self) -> Mapping[int, Mapping[str, Any]]:
        """Return the `commitInfo` of each commit, by version."""
        return {version: _info(lines) for version, lines in self.actions.items()}

    @property
    def first_linked(self) -> int | None:
        """Return the version of the first commit in the chain; None if no commit is chained."""
        return min((version for version, info in self.infos.items() if PREVIOUS in info), default=None)

    @property
    def newest(self) -> int:
        """Return the newest version, -1 if there are no commits."""
        return max(self.actions, default=-1)


def commit_path(version: int) -> str:
    """Return the path of a commit, relative to the table."""
    return f"{LOG}/{version:020}.json"


def checkpoint_path(version: int) -> str:
    """Return the path of a checkpoint, relative to the table."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def commit_version(name: str) -> int | None:
    """Return the version of the commit with that file name; None for other files."""
    found = _COMMIT.fullmatch(name)
    return int(found[1]) if found else None


def parsed(content: bytes) -> list[dict[str, Any]] | None:
    """Return a commit's actions; None if it is broken."""
    try:
        lines = [json.loads(line) for line in content.splitlines()]
    except (ValueError, RecursionError):
        return None
    return lines if lines and all(isinstance(line, dict) for line in lines) else None


class Chain:
    """Read, check and extend the commit chain of the table at `uri`.

    files: file system rooted at the table. lake_files: file system rooted at the lake, which stores the head.
    """

    def __init__(self, uri: str, files: pyarrow.fs.FileSystem, lake_files: pyarrow.fs.FileSystem) -> None:
        self._uri = uri
        self._files = files
        self._lake_files = lake_files
        self._head_path = f"{FOLDER}/{uri.rpartition('/')[2]}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other procwire processes from committing meanwhile, if the file system supports locks."""
        if is_remote(self._uri):
            yield
            return
        handle = os.open(f"{self._uri}/{LOG}", os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def head(self) -> Head | None:
        """Return the head; None if there is none.

        Raises LakeError if a newer procwire wrote it, DamageError if it cannot be parsed.
        """
        try:
            with self._lake_files.open_input_stream(self._head_path) as stream:
                content = stream.read()
        except FileNotFoundError:
            return None
        try:
            found = json.loads(content)
            version = int(found["version"])
            if version > _HEAD_VERSION:
                raise LakeError(
                    f"{self._where}: found version {version}, expected {_HEAD_VERSION}: a newer procwire wrote it"
                )
            if version < 1:
                raise ValueError(version)
            checkpoint = found["checkpoint"]
            return Head(
                int(found["commit"]),
                str(found["digest"]),
                None if checkpoint is None else (int(checkpoint[0]), str(checkpoint[1])),
            )
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise DamageError(f"{self._where}: is broken, expected the last commit: see lake repair") from error

    def link(self, version: int) -> dict[str, str]:
        """Return the metadata that the commit of that version must have: its predecessor and the newest checkpoint.

        Call it within `locked`. It also records the first commit if its writer was killed before doing so: a lake of
        several commits without a head counts as damaged.
        """
        link = {PREVIOUS: "" if version == 0 else self.digest(version - 1)}
        with suppress(LakeError):
            head = self.head()
            if head is None and version == 1:
                self.advance(0)
            elif head is not None and head.checkpoint is not None:
                link[CHECKPOINT] = "{}:{}".format(*head.checkpoint)
        return link

    def digest(self, version: int) -> str:
        """Return the BLAKE3 of a commit as hexadecimal text; empty if the commit no longer exists. Raises OSError."""
        try:
            with self._files.open_input_stream(commit_path(version)) as stream:
                return blake3(stream.read()).hexdigest()
        except FileNotFoundError:
            return ""

    def advance(self, version: int, checkpoint: int | None = None, *, forget: bool = False) -> None:
        """Record the last commit, and a checkpoint if one was made. Call it within `locked`.

        A newer recorded commit stays, unless `forget`. The commit is valid without this record, so a failure is only
        logged.
        """
        try:
            known = self._known_head(forget)
            if known is not None and known.commit > version and checkpoint is None:
                return
            noted = None if known is None else known.checkpoint
            if checkpoint is not None:
                noted = checkpoint, self._checkpoint_digest(checkpoint)
            self._store(Head(version, self.digest(version), noted))
        except OSError as error:
            _logger.warning("%s: cannot be written (%s); the next commit retries", self._where, error.strerror or error)

    def examine(self, *, recent: bool = False) -> Examination:
        """Read every commit, and check them against each other and against the head.

        recent: check only the commits that a reader of the table needs: those from the newest checkpoint on. Raises
        OSError.
        """
        for _ in attempts(_TRIES):
            found = self._examined(recent)
            # Expired commits may have been deleted meanwhile.
            if not found.missing:
                break
        return found

    def _examined(self, recent: bool) -> Examination:
        # Read the head before the commits: a writer may add commits meanwhile.
        head, head_fault = None, ""
        try:
            head = self.head()
        except LakeError as error:
            # Make the path relative to the table, like the paths of the other faults.
            head_fault = str(error).replace(self._where, f"../{self._head_path}", 1)
        names = [info.base_name for info in self._files.get_file_info(pyarrow.fs.FileSelector(LOG))]
        versions = sorted(version for name in names if (version := commit_version(name)) is not None)
        if head is None and not head_fault and versions and versions[-1] > 0:
            # The lake may have been created meanwhile.
            with suppress(LakeError):
                head = self.head()
        checkpoints = sorted(int(match[1]) for name in names if (match := _CHECKPOINT.fullmatch(name)))
        if recent and head and head.checkpoint and head.checkpoint[0] == max(checkpoints, default=-1):
            checkpoints = checkpoints[-1:]
            versions = [version for version in versions if version >= checkpoints[0]]
        contents: dict[int, bytes] = {}
        for version in versions:
            with suppress(FileNotFoundError), self._files.open_input_stream(commit_path(version)) as stream:
                contents[version] = stream.read()
        commits = _Commits(
            {version: parsed(content) for version, content in contents.items()},
            {version: blake3(content).hexdigest() for version, content in contents.items()},
        )
        found = Examination(len(contents), digests=commits.digests)
        if head_fault:
            found.faults[-1] = head_fault
        else:
            self._hold_to_head(found, commits, head)
        self._hold_together(found, commits, checkpoints, head)
        self._hold_checkpoints(found, commits, checkpoints, head)
        return found

    def _hold_together(
        self, found: Examination, commits: _Commits, checkpoints: Sequence[int], head: Head | None
    ) -> None:
        actions, digests, infos, first = commits.actions, commits.digests, commits.infos, commits.first_linked
        for info in infos.values():
            # An altered commit may contain anything.
            with suppress(ValueError, TypeError, AttributeError, RecursionError):
                found.repaired |= {int(number): text for number, text in json.loads(info.get(REPAIRED, "{}")).items()}
        found.unchained = sum(first is None or version < first for version in actions)
        # Commits older than a checkpoint may have been cleaned up.
        begin = min(actions, default=0)
        begin = begin if any(version >= begin - 1 for version in checkpoints) else 0
        missing = [version for version in range(begin, commits.newest) if version not in actions]
        found.missing += missing
        for version in missing:
            found.faults[version] = f"{commit_path(version)}: is missing"
        for version in sorted(actions, reverse=True):
            before = infos[version].get(PREVIOUS)
            settled = version in found.faults or found.repaired.get(version) == digests[version]
            if actions[version] is None:
                found.faults[version] = f"{commit_path(version)}: cannot be read, expected lines of JSON"
            elif before is None and first is not None and version > first and not settled:
                found.foreign.add(version)
                found.faults[version] = (
                    f"{commit_path(version)}: does not say which commit it follows: "
                    "forged, or written by another program or an older procwire"
                )
            # Skip predecessors that were cleaned up (they have no digest) or that a repair accepted (they differ from
            # the original); and ignore what an altered commit claims.
            known = {before, found.repaired.get(version - 1)}
            if before and version not in found.faults and version - 1 in digests and digests[version - 1] not in known:
                if head is not None and (head.commit, head.digest) == (version - 1, digests[version - 1]):
                    # The head confirms the preceding commit, so this one was appended by someone else.
                    found.faults[version] = f"{commit_path(version)}: does not follow the commit before it: forged"
                else:
                    found.faults[version - 1] = (
                        f"{commit_path(version - 1)}: is not the commit that the next one follows"
                    )

    def _hold_to_head(self, found: Examination, commits: _Commits, head: Head | None) -> None:
        newest = commits.newest
        if head is None:
            # A writer may be killed before it records the first commit.
            if commits.first_linked is not None and newest > 0:
                found.faults[-1] = f"../{self._head_path}: is missing, expected the last commit"
        elif head.commit > newest:
            gone = list(range(newest + 1, head.commit + 1))
            found.missing += gone
            for version in gone:
                found.faults[version] = (
                    f"{commit_path(version)}: is missing; {self._head_path} names {head.commit} as the last"
                )
        elif commits.digests.get(head.commit, head.digest) != head.digest:
            found.faults[head.commit] = f"{commit_path(head.commit)}: is not the commit that {self._head_path} names"

    def _hold_checkpoints(
        self, found: Examination, commits: _Commits, checkpoints: Sequence[int], head: Head | None
    ) -> None:
        noted = dict(filter(None, (_noted(info.get(CHECKPOINT)) for info in commits.infos.values())))
        if head is not None and head.checkpoint is not None:
            noted[head.checkpoint[0]] = head.checkpoint[1]
        first = commits.first_linked
        for version in checkpoints:
            path = checkpoint_path(version)
            number = -2 - version
            try:
                if version in noted:
                    is_same = self._checkpoint_digest(version) == noted[version]
                elif first is not None and version >= first:
                    # Its writer was killed before recording it, or it is forged: the commits show which.
                    replayed = self._replayed(commits, set(checkpoints) & noted.keys(), version)
                    is_same = replayed == self._checkpoint_paths(version)
                else:
                    is_same = True
            except FileNotFoundError:
                continue
            except (OSError, ValueError, pa.ArrowException) as error:
                found.faults[number] = f"{path}: cannot be read: {(str(error).splitlines() or [''])[0]}"
                continue
            if not is_same:
                found.faults[number] = f"{path}: is not the checkpoint that was made"

    def _replayed(self, commits: _Commits, bases: Iterable[int], version: int) -> set[str] | None:
        """Return the paths of the files in a version, computed from its commits; None if some commits are missing.

        bases: versions of checkpoints to start from.
        """
        base = max((number for number in bases if number < version), default=None)
        paths = set() if base is None else self._checkpoint_paths(base)
        for number in range(0 if base is None else base + 1, version + 1):
            lines = commits.actions.get(number)
            if lines is None:
                return None
            for line in lines:
                if "remove" in line:
                    paths.discard(line["remove"]["path"])
                if "add" in line:
                    paths.add(line["add"]["path"])
        return paths

    def _checkpoint_digest(self, version: int) -> str:
        with self._files.open_input_stream(checkpoint_path(version)) as stream:
            return blake3(stream.read()).hexdigest()

    def _checkpoint_paths(self, version: int) -> set[str]:
        rows = pq.read_table(checkpoint_path(version), filesystem=self._files, columns=["add"], partitioning=None)
        return {row["path"] for row in rows["add"].to_pylist() if row is not None and row["path"] is not None}

    @property
    def _where(self) -> str:
        return f"{self._uri.rpartition('/')[0]}/{self._head_path}"

    def _known_head(self, forget: bool) -> Head | None:
        if forget:
            return None
        try:
            return self.head()
        except LakeError:
            return None

    def _store(self, head: Head) -> None:
        text = json.dumps(
            {"version": _HEAD_VERSION, "commit": head.commit, "digest": head.digest, "checkpoint": head.checkpoint}
        )
        if is_remote(self._uri):
            # Buffered: unbuffered streams of object stores reject what Python writes.
            with self._lake_files.open_output_stream(self._head_path, buffer_size=1 << 10) as stream:
                stream.write(text.encode())
            return
        target = Path(self._where)
        target.parent.mkdir(exist_ok=True)
        part = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.write(handle, text.encode())
            # After a power cut the previous head may remain, which is fine, but never a broken one.
            os.fsync(handle)
            part.rename(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


def _info(lines: Sequence[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    for line in lines or ():
        info = line.get("commitInfo")
        if isinstance(info, dict):
            return info
    return {}


def _noted(text: Any) -> tuple[int, str] | None:
    """Return version and digest of the checkpoint that a commit records; None if it records none or is malformed."""
    match = re.fullmatch(r"(\d+):([0-9a-f]+)", str(text))
    return (int(match[1]), match[2]) if match else None
