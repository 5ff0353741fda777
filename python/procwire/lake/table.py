"""A Delta table of events: reads its snapshot, and commits to it."""

from __future__ import annotations

import logging
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from procwire.engine import Readable
from procwire.errors import DamageError, LakeError
from procwire.lake.chain import LOG, PREVIOUS, Chain
from procwire.lake.durable import sync, sync_commits
from procwire.lake.files import is_data_file
from procwire.lake.location import is_remote
from procwire.lake.schema import (
    CONFIGURATION,
    CONNECTIONS,
    DAY,
    LAYOUT_PROPERTY,
    LAYOUT_VERSION,
    STATISTICS,
    WIDENED_PROPERTY,
    Layout,
)
from procwire.lake.torn import put_torn_aside
from procwire.lake.verified import ReadableFile, damage, open_verified
from procwire.retry import attempts

__all__ = ["ConflictError", "DataFile", "Table", "file_system", "is_table", "lake_errors"]

_RETRIES = 100
# Number of commits between clean-ups of expired ones. Looking for these at every commit, as deltalake does, takes
# longer and longer: 8 ms when there are a thousand.
_CLEANUP_COMMITS = 100
# We create the checkpoints ourselves, to record them in the chain.
_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_logger = logging.getLogger(__name__)
_TAKEN = "Failed to commit transaction"


class ConflictError(LakeError):
    """Another writer committed first, and this commit must take it into account."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """Describe a data file of a snapshot."""

    path: str
    """Path relative to the table."""
    size_bytes: int
    rows: int
    day: date | None
    bounds: Mapping[str, tuple[Any, Any]]
    """Least and greatest value of each column of `schema.STATISTICS`, except columns that are all null."""


class Table:
    """Read and commit to the table at `uri`; its snapshot is that of the newest commit when opened or reloaded."""

    def __init__(self, uri: str, storage_options: Mapping[str, str] | None, layout: Layout = CONNECTIONS) -> None:
        self.uri = uri
        self.layout = layout
        self.files = file_system(uri, storage_options)
        self.chain = Chain(uri, self.files, file_system(uri.rpartition("/")[0], storage_options))
        try:
            with lake_errors(uri):
                self._delta = DeltaTable(uri, storage_options=dict(storage_options or {}))
        except LakeError:
            # The commits show more precisely what is broken.
            with suppress(OSError):
                if faults := self.chain.examine().lines():
                    raise DamageError(f"{uri}/{faults[0]}: see lake verify and lake repair") from None
            raise

    @classmethod
    def exists(cls, uri: str, storage_options: Mapping[str, str] | None) -> bool:
        """Return whether there is a table. Raises LakeError if the store cannot be reached."""
        with lake_errors(uri):
            return DeltaTable.is_deltatable(uri, dict(storage_options or {}))

    @classmethod
    def create(cls, uri: str, storage_options: Mapping[str, str] | None, layout: Layout = CONNECTIONS) -> Table:
        """Create the table unless it exists, and return it. Raises LakeError if it cannot be created."""
        names = [name for name in STATISTICS if name in layout.schema.names]
        with cls._making(uri):
            with lake_errors(uri):
                DeltaTable.create(
                    uri,
                    layout.table_schema,
                    mode="ignore",
                    partition_by=layout.partitions,
                    name=layout.name,
                    description=layout.description,
                    configuration={**CONFIGURATION, "delta.dataSkippingStatsColumns": ",".join(names)},
                    storage_options=dict(storage_options or {}),
                    raise_if_key_not_exists=False,
                    commit_properties=CommitProperties(custom_metadata={PREVIOUS: ""}),
                )
            table = cls(uri, storage_options, layout)
            if not is_remote(uri):
                sync_commits(uri, -1)
            if table.version == 0:
                table.chain.advance(0)
        return table

    @classmethod
    @contextmanager
    def _making(cls, uri: str) -> Iterator[None]:
        """Keep other processes from creating the table meanwhile: both would commit, one after the other."""
        if is_remote(uri):
            yield
            return
        # The folder that is locked.
        Path(uri, LOG).mkdir(parents=True, exist_ok=True)
        with Chain(uri, file_system(uri, None), file_system(uri.rpartition("/")[0], None)).locked():
            yield

    @property
    def layout_version(self) -> int:
        """Return the version of the snapshot's layout. Raises LakeError if it is not a number."""
        stored = self._delta.metadata().configuration.get(LAYOUT_PROPERTY, "1")
        if not str(stored).isdecimal():
            raise LakeError(f"{self.uri}: found the layout {stored!r}, expected a number")
        return int(stored)

    @property
    def is_widened(self) -> bool:
        """Return whether some files of the snapshot may lack columns that others have."""
        return WIDENED_PROPERTY in self._delta.metadata().configuration

    def make_writable(self) -> None:
        """Upgrade the table to this version's layout: add the columns that it lacks, by a Delta schema change.

        Raises LakeError if a newer procwire wrote it.
        """
        self.reload()
        if self._is_current():
            return
        with self.chain.locked(), lake_errors(self.uri):
            self.reload()
            if self._is_current():
                return
            missing, version = self._missing(), self.version
            if missing:
                properties = self._commit_properties({})
                self._delta.alter.add_columns(
                    Schema.from_arrow(pa.schema(missing)).fields,
                    commit_properties=properties,
                    post_commithook_properties=_HOOKS,
                )
                version += 1
                self._committed(version)
            settings = {LAYOUT_PROPERTY: str(LAYOUT_VERSION), **({WIDENED_PROPERTY: "true"} if missing else {})}
            self.reload()
            self._delta.alter.set_table_properties(
                settings,
                raise_if_not_exists=False,
                commit_properties=self._commit_properties({}),
                post_commithook_properties=_HOOKS,
            )
            self._committed(version + 1)
            self.reload()

    def _missing(self) -> list[pa.Field]:
        present = {column.name for column in self._delta.schema().fields}
        return [column for column in self.layout.table_schema if column.name not in present]

    @property
    def unknown_columns(self) -> list[str]:
        """Return the columns of the snapshot that a newer procwire added."""
        known = self.layout.table_schema.names
        return [column.name for column in self._delta.schema().fields if column.name not in known]

    def check_layout(self) -> None:
        """Raise LakeError if a newer procwire wrote the table: this one must not change it."""
        self._is_current()

    def _is_current(self) -> bool:
        """Return whether the snapshot has this version's layout. Raises LakeError if its layout is newer."""
        stored, unknown = self.layout_version, self.unknown_columns
        if stored > LAYOUT_VERSION or unknown:
            columns = f" and the columns {', '.join(unknown)}" if unknown else ""
            raise LakeError(
                f"{self.uri}: found layout {stored}{columns}, expected layout {LAYOUT_VERSION} or older: a newer "
                "procwire wrote this lake; upgrade this one to write to it"
            )
        return stored == LAYOUT_VERSION and not self._missing()

    @property
    def version(self) -> int:
        """Return the version of the snapshot."""
        return self._delta.version()

    def reload(self) -> None:
        """Load the newest snapshot. Raises LakeError if it cannot be read."""
        with lake_errors(self.uri):
            self._delta.update_incremental()

    def transaction_version(self, source: str) -> int | None:
        """Return the greatest version that the snapshot has of a source's rows; None if it has none."""
        return self._delta.transaction_version(source)

    def snapshot(self) -> list[DataFile]:
        """Return the files of the snapshot, oldest day first."""
        found = pa.table(self._delta.get_add_actions(flatten=True)).to_pylist()
        return sorted(map(_data_file, found), key=lambda file: (file.day or date.min, file.path))

    def check_commits(self) -> None:
        """Check the commits that a reader needs against their chain: an altered one would give wrong answers.

        Raises DamageError, which names the commit. A commit that an older procwire may have written, or a broken head,
        is only logged as a warning.
        """
        with lake_errors(self.uri):
            found = self.chain.examine(recent=True)
        doubtful = {version for version in found.faults if version == -1} | found.foreign
        for version in sorted(found.faults.keys() - doubtful):
            raise DamageError(f"{self.uri}/{found.faults[version]}: see lake verify and lake repair")
        for version in sorted(doubtful):
            _logger.warning("%s/%s: see lake verify", self.uri, found.faults[version])

    def open(self, file: DataFile) -> pa.PythonFile:
        """Open a data file for Arrow; the caller closes it. Each block is checked as it is read.

        Raises DamageError, which names the file, here or when reading.
        """
        return pa.PythonFile(ReadableFile(self.readable(file)), mode="r")

    def readable(self, file: DataFile) -> Readable:
        """Open a data file for checked reads at any offset; the caller closes it.

        Raises DamageError, which names the file.
        """
        name = f"{self.uri}/{file.path}"
        if not is_remote(self.uri):
            with damage(name):
                # A pipe in place of a file would block the reader indefinitely.
                if not stat.S_ISREG(Path(name).stat().st_mode):
                    raise DamageError(f"{name}: is not a regular file")
        return open_verified(self.files, file.path, file.size_bytes, name)

    def commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        transactions: Mapping[str, int],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Commit all actions or none, not twice, and sync them to disk, if `transactions` are as in the snapshot.

        transactions: versions by source. metadata: further entries for the commit. Raises ConflictError if another
        commit since the snapshot has one of these transactions, LakeError if a newer procwire wrote the table or every
        attempt met another writer's commit.
        """
        known = {name: self.transaction_version(name) for name in transactions}
        if not is_remote(self.uri):
            sync(self.uri, [action.path for action in actions if isinstance(action, AddAction)])
        entries = [Transaction(name, version, time.time_ns() // 10**6) for name, version in transactions.items()]
        with self.chain.locked(), lake_errors(self.uri):
            for _ in attempts(_RETRIES):
                self.reload()
                self._is_current()
                if {name: self.transaction_version(name) for name in transactions} != known:
                    # The store may have accepted the commit and lost the reply; check whether the other commit is ours.
                    if self._holds(actions):
                        return
                    raise ConflictError(f"{self.uri}: another writer committed first")
                version = self.version + 1
                try:
                    self._delta.create_write_transaction(
                        list(actions),
                        "append",
                        self.layout.table_schema,
                        self.layout.partitions,
                        commit_properties=self._commit_properties(metadata or {}, entries),
                        post_commithook_properties=_HOOKS,
                    )
                except CommitFailedError as error:
                    if _TAKEN not in str(error):
                        raise
                    continue
                self._committed(version)
                return
        raise LakeError(f"{self.uri}: gave up after {_RETRIES:,} conflicting commits of other writers")

    def _commit_properties(
        self, metadata: Mapping[str, str], entries: list[Transaction] | None = None
    ) -> CommitProperties:
        """Return the properties of the next commit. They name its predecessor, so Delta must not rebase it."""
        link = self.chain.link(self.version + 1)
        return CommitProperties(custom_metadata={**link, **metadata}, app_transactions=entries, max_commit_retries=0)

    def _committed(self, version: int) -> None:
        """Sync a commit to disk and record it in the head; create a checkpoint from time to time."""
        if not is_remote(self.uri):
            sync_commits(self.uri, version - 1)
        self.chain.advance(version)
        if version % _CLEANUP_COMMITS == 0:
            self.reload()
            self._delta.create_checkpoint()
            if not is_remote(self.uri):
                sync_commits(self.uri, version - 1)
            self.chain.advance(version, checkpoint=self.version)
            self._delta.cleanup_metadata()

    def _holds(self, actions: Sequence[AddAction | RemoveAction]) -> bool:
        paths = {file.path for file in self.snapshot()}
        return any(isinstance(action, AddAction) and action.path in paths for action in actions)

    def removal(self, file: DataFile, *, data_change: bool) -> RemoveAction:
        """Return the action that removes a file from the table; the file stays on disk until `vacuum`."""
        day = {DAY: None if file.day is None else file.day.isoformat()} if self.layout.by_day else {}
        return RemoveAction(file.path, data_change, time.time_ns() // 10**6, file.size_bytes, day)

    def vacuum(self) -> list[str]:
        """Delete data files that no snapshot of the last day has, and orphans of killed writers; return their paths.

        Other files in the folder stay: they are not ours.
        """
        with lake_errors(self.uri):
            replaced, unknown = (self._delta.vacuum(dry_run=True, full=full) for full in (False, True))
            unneeded = [path for path in unknown if path in replaced or is_data_file(path)]
            for path in unneeded:
                # Another process may have deleted it first.
                with suppress(FileNotFoundError):
                    self.files.delete_file(path)
            return unneeded


def is_table(uri: str, storage_options: Mapping[str, str] | None) -> bool:
    """Return whether there is a table; first set torn commits of a power cut aside."""
    if is_remote(uri):
        return Table.exists(uri, storage_options)
    put_torn_aside(uri)
    return Path(uri).is_dir() and Table.exists(uri, storage_options)


@contextmanager
def lake_errors(uri: str) -> Iterator[None]:
    """Raise errors of Delta and of the object store as LakeError."""
    try:
        yield
    except DeltaError as error:
        raise LakeError(f"{uri}: {str(error).splitlines()[0]}") from error
    except OSError as error:
        # Without errno it comes from an object store: a drawing of several lines.
        if error.errno is not None:
            raise
        raise LakeError(f"{uri}: {_last_reason(str(error))}") from error


def _last_reason(text: str) -> str:
    plain = re.sub(r"\x1b\[\d*m", "", text).strip()
    message = re.search(r"<Message>(.+?)</Message>", plain)
    return message[1] if message else plain.rpartition("\n")[2].lstrip(" ↳") or "no reason given"


def file_system(uri: str, storage_options: Mapping[str, str] | None) -> pyarrow.fs.FileSystem:
    """Return the file system whose root is a folder or a URI."""
    if is_remote(uri):
        return pyarrow.fs.PyFileSystem(DeltaStorageHandler(uri, dict(storage_options or {})))
    return pyarrow.fs.SubTreeFileSystem(uri, pyarrow.fs.LocalFileSystem())


def _data_file(entry: Mapping[str, Any]) -> DataFile:
    # A damaged commit may lack entries.
    names = [key.removeprefix("min.") for key in entry if key.startswith("min.")]
    bounds = {name: (entry[f"min.{name}"], entry.get(f"max.{name}")) for name in names}
    return DataFile(
        entry["path"],
        entry["size_bytes"],
        entry["num_records"] or 0,
        _date(entry.get(f"partition.{DAY}")),
        {name: (low, high) for name, (low, high) in bounds.items() if low is not None and high is not None},
    )


def _date(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value
