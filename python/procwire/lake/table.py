"""A Delta table of events: its snapshot, and commits to it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from procwire.engine import LocalFile, Readable
from procwire.errors import LakeError
from procwire.lake.durable import sync, sync_commits
from procwire.lake.files import is_data_file
from procwire.lake.location import is_remote
from procwire.lake.schema import CONFIGURATION, CONNECTIONS, DAY, Layout

__all__ = ["ConflictError", "DataFile", "Table", "lake_errors"]

_RETRIES = 100
# Commits that are past their time are deleted so often: to look for them at each, as deltalake does, takes longer and
# longer, 8 ms when there are a thousand.
_CLEANUP_COMMITS = 100
_HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


class ConflictError(LakeError):
    """Another commit came first that this one must not ignore."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a snapshot."""

    path: str
    """Relative to the table."""
    size_bytes: int
    rows: int
    day: date | None
    modified_ms: int
    bounds: Mapping[str, tuple[Any, Any]]
    """Least and greatest value of the columns of `schema.STATISTICS`; without those that are all null."""


class Table:
    """The table at `uri`, as its newest commit has it when opened or reloaded."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None, layout: Layout = CONNECTIONS) -> None:
        self.uri = uri
        self.layout = layout
        with lake_errors(uri):
            self._delta = DeltaTable(uri, storage_options=dict(storage_options or {}))
        self.files = _file_system(uri, storage_options)

    @classmethod
    def exists(cls, uri: str, storage_options: Mapping[str, str] | None) -> bool:
        """Whether there is a table."""
        with lake_errors(uri):
            return DeltaTable.is_deltatable(uri, dict(storage_options or {}))

    @classmethod
    def create(cls, uri: str, storage_options: Mapping[str, str] | None, layout: Layout = CONNECTIONS) -> Table:
        """Make the table, unless there is one."""
        with lake_errors(uri):
            DeltaTable.create(
                uri,
                layout.table_schema,
                mode="ignore",
                partition_by=[DAY],
                name=layout.name,
                description=layout.description,
                configuration=CONFIGURATION,
                storage_options=dict(storage_options or {}),
            )
        table = cls(uri, storage_options, layout)
        if not is_remote(uri):
            sync_commits(uri, -1)
        return table

    def open(self, file: DataFile) -> Readable:
        """Open a file for reading. Raises LakeError if it cannot be."""
        if is_remote(self.uri):
            with lake_errors(self.uri):
                return _StoredFile(self.files.open_input_file(file.path))
        try:
            return LocalFile(f"{self.uri}/{file.path}")
        except OSError as error:
            raise LakeError(f"{self.uri}/{file.path}: {error.strerror}") from error

    @property
    def version(self) -> int:
        """Of the snapshot."""
        return self._delta.version()

    def reload(self) -> None:
        """Take the newest snapshot."""
        with lake_errors(self.uri):
            self._delta.update_incremental()

    def transaction_version(self, source: str) -> int | None:
        """Up to where a source's rows are in the snapshot; None if none are."""
        return self._delta.transaction_version(source)

    def snapshot(self) -> list[DataFile]:
        """The files that make up the table, oldest day first."""
        found = pa.table(self._delta.get_add_actions(flatten=True)).to_pylist()
        return sorted(map(_data_file, found), key=lambda file: (file.day or date.min, file.path))

    def commit(self, actions: Sequence[AddAction | RemoveAction], transactions: Mapping[str, int]) -> None:
        """Commit to what the snapshot says of `transactions`: all or nothing, and not twice; then it is on the disk.

        Raises ConflictError if another commit since the snapshot has one of these transactions.
        """
        is_local = not is_remote(self.uri)
        if is_local:
            sync(self.uri, [action.path for action in actions if isinstance(action, AddAction)])
        self._commit(actions, transactions)
        if is_local:
            sync_commits(self.uri, self.version)
        if self.version % _CLEANUP_COMMITS == 0:
            with lake_errors(self.uri):
                self._delta.cleanup_metadata()

    def _commit(self, actions: Sequence[AddAction | RemoveAction], transactions: Mapping[str, int]) -> None:
        entries = [Transaction(name, version, time.time_ns() // 10**6) for name, version in transactions.items()]
        with lake_errors(self.uri):
            try:
                self._delta.create_write_transaction(
                    list(actions),
                    "append",
                    self.layout.table_schema,
                    [DAY],
                    commit_properties=CommitProperties(app_transactions=entries, max_commit_retries=_RETRIES),
                    post_commithook_properties=_HOOKS,
                )
            except CommitFailedError as error:
                if "oncurrent" not in str(error):
                    raise
                # A store may have taken the commit, and its answer been lost: then what came first is this one.
                self.reload()
                if not self._holds(actions):
                    raise ConflictError(f"{self.uri}: another writer came first") from error

    def _holds(self, actions: Sequence[AddAction | RemoveAction]) -> bool:
        paths = {file.path for file in self.snapshot()}
        return any(isinstance(action, AddAction) and action.path in paths for action in actions)

    def removal(self, file: DataFile, *, data_change: bool) -> RemoveAction:
        """What takes a file out of the table; it stays on disk until it is vacuumed."""
        day = {DAY: None if file.day is None else file.day.isoformat()}
        return RemoveAction(file.path, data_change, time.time_ns() // 10**6, file.size_bytes, day)

    def vacuum(self) -> list[str]:
        """Delete data files that no snapshot of the last day has, orphans of killed writers too; return their paths.

        What else lies in the folder stays: it may be anything.
        """
        with lake_errors(self.uri):
            replaced, unknown = (self._delta.vacuum(dry_run=True, full=full) for full in (False, True))
            unneeded = [path for path in unknown if path in replaced or is_data_file(path)]
            for path in unneeded:
                # Another keeper may have been quicker.
                with suppress(FileNotFoundError):
                    self.files.delete_file(path)
            return unneeded


class _StoredFile:
    """A file in an object store, open for reading."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file
        self.size_bytes: int = file.size()

    def read_at(self, offset: int, size: int) -> bytes:
        found: bytes = self._file.read_at(size, offset)
        return found

    def close(self) -> None:
        self._file.close()


@contextmanager
def lake_errors(uri: str) -> Iterator[None]:
    """Errors of the table format and of the store, as ours."""
    try:
        yield
    except DeltaError as error:
        raise LakeError(f"{uri}: {str(error).splitlines()[0]}") from error
    except OSError as error:
        # An object store's, not the system's: a drawing of many lines.
        if error.errno is not None:
            raise
        raise LakeError(f"{uri}: {_last_reason(str(error))}") from error


def _last_reason(told: str) -> str:
    plain = re.sub(r"\x1b\[\d*m", "", told).strip()
    message = re.search(r"<Message>(.+?)</Message>", plain)
    return message[1] if message else plain.rpartition("\n")[2].lstrip(" ↳") or "it told no more"


def _file_system(uri: str, storage_options: Mapping[str, str] | None) -> pyarrow.fs.FileSystem:
    if is_remote(uri):
        return pyarrow.fs.PyFileSystem(DeltaStorageHandler(uri, dict(storage_options or {})))
    return pyarrow.fs.SubTreeFileSystem(uri, pyarrow.fs.LocalFileSystem())


def _data_file(entry: Mapping[str, Any]) -> DataFile:
    names = [key.removeprefix("min.") for key in entry if key.startswith("min.")]
    bounds = {name: (entry[f"min.{name}"], entry[f"max.{name}"]) for name in names if entry[f"min.{name}"] is not None}
    return DataFile(
        entry["path"],
        entry["size_bytes"],
        entry["num_records"],
        _date(entry[f"partition.{DAY}"]),
        entry["modification_time"],
        bounds,
    )


def _date(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value
