"""A lake: the tables in a folder or an object store, and the operations on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from procwire.engine import Readable
from procwire.errors import DamageError, LakeError, UsageError
from procwire.event import LIVE_SCHEMA
from procwire.lake.chain import Chain
from procwire.lake.duplicates import without_duplicates
from procwire.lake.files import remove_files, write_days
from procwire.lake.location import VARIABLE, is_remote, other_lakes, resolve
from procwire.lake.maintenance import Compaction, Verification, compact, expire, expired, tidy, verify
from procwire.lake.readings import Reading, Readings
from procwire.lake.schema import CONNECTIONS, CONTEXT, LAYOUTS, READINGS, SCHEMA, Layout, days
from procwire.lake.table import ConflictError, DataFile, Table, file_system, is_table, lake_errors
from procwire.lake.verified import damage
from procwire.period import utc
from procwire.retry import attempts

__all__ = ["Info", "Lake", "verify_tables"]

# Source of a transaction that keeps two readers of logs from both finding an event missing, and both adding it.
_LOGS = "procwire/logs"
_TRIES = 1_000


@dataclass(frozen=True, slots=True)
class Info:
    """Describe what a table of a lake holds."""

    location: str
    table: str
    rows: str
    """Plural noun for its rows, for messages."""
    version: int
    events: int
    files: int
    bytes: int
    first_day: date | None
    last_day: date | None
    days: int
    readings: list[Reading] = field(default_factory=list)
    error: str | None = None
    """Why the readings are unknown: their table is damaged. None if they are known."""

    def to_dict(self, context: Iterable[Info] = ()) -> dict[str, Any]:
        """Return the description as values for JSON. context: descriptions of the lake's other tables."""
        readings = [
            {
                **asdict(reading),
                "end_time": None if reading.end_time is None else reading.end_time.isoformat(),
                "account": json.loads(reading.account),
            }
            for reading in self.readings
        ]
        days = {name: None if day is None else day.isoformat() for name, day in
                (("first_day", self.first_day), ("last_day", self.last_day))}  # fmt: skip
        beside = {part.table: {"events": part.events, "files": part.files, "bytes": part.bytes} for part in context}
        return {**asdict(self), **days, "context": beside, "readings": readings}


class Lake:
    """Read, write and maintain the lake at a location; `Lake.open` returns one.

    Its tables are `connections` (Delta, partitioned by `day`), those of `schema.CONTEXT`, partitioned likewise, and
    `readings`, the ledger. The methods work on `table`: connections, or the table of the lake that `tables` and
    `beside` return. Not safe for use by several threads.
    """

    def __init__(self, location: str, table: Table, storage_options: Mapping[str, str] | None) -> None:
        self.location = location
        self.table = table
        self.readings = Readings(location, storage_options)
        self._storage_options = storage_options

    @classmethod
    def open(
        cls,
        location: str | os.PathLike[str] | None = None,
        *,
        create: bool = False,
        storage_options: Mapping[str, str] | None = None,
    ) -> Lake:
        """Open the lake at a folder or URI.

        location: None for that in PROCWIRE_LAKE, else `default_folder`. create: create the lake if there is none.
        storage_options: options of the object store, as for `deltalake`; the others come from the store's own
        environment variables, such as AWS_ACCESS_KEY_ID.

        Raises UsageError if there is no lake, LakeError if it cannot be opened; without `create` DamageError if
        commits that a reader needs were altered.
        """
        found = resolve(location)
        uri = f"{found}/connections"
        if not is_remote(found) and create:
            try:
                Path(uri).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"cannot create the lake {found}: {error.strerror}") from error
        if is_table(uri, storage_options):
            table = Table(uri, storage_options)
            # A writer continues: rows after a doubtful commit are better than lost rows.
            if not create:
                table.check_commits()
            return cls(found, table, storage_options)
        if not create:
            hint = f"expected one: name it by --lake DIR or {VARIABLE}; `procwire read LOGS --to lake` fills it"
            raise UsageError(f"found no lake at {found}, {hint}{other_lakes(location)}")
        return cls(found, Table.create(uri, storage_options), storage_options)

    def tables(self) -> list[Lake]:
        """Return this lake, and a Lake for each table of `schema.CONTEXT` that it has."""
        return [self, *filter(None, (self.beside(layout.name) for layout in CONTEXT))]

    def all_tables(self) -> list[Lake]:
        """Return a Lake for each table, like `tables`, and one for the ledger, `readings`, if the lake has it."""
        return [*self.tables(), *filter(None, [self.beside(READINGS.name)])]

    def beside(self, name: str, *, create: bool = False) -> Lake | None:
        """Return a Lake whose methods work on the table of that name; None if there is none, unless `create`."""
        if name == self.table.layout.name:
            return self
        [layout] = [layout for layout in LAYOUTS if layout.name == name]
        uri, options = f"{self.location}/{name}", self._storage_options
        if not is_remote(uri) and create:
            Path(uri).mkdir(exist_ok=True)
        if is_table(uri, options):
            table = Table(uri, options, layout)
            if not create:
                table.check_commits()
            return Lake(self.location, table, options)
        return Lake(self.location, Table.create(uri, options, layout), options) if create else None

    def append(self, batches: Iterable[pa.RecordBatch] | pa.Table, *, source: str, version: int) -> bool:
        """Append rows of `event.SCHEMA` or `event.LIVE_SCHEMA`, all or none; return whether they were new.

        source, version: who appends them, and a number that grows with each append of this source. If this or a
        greater version is already committed, nothing is appended and the result is False.

        Raises LakeError if they cannot be written.
        """
        parts = [batches] if isinstance(batches, pa.Table) else [pa.Table.from_batches([batch]) for batch in batches]
        rows = pa.concat_tables(map(CONNECTIONS.widened, parts)) if parts else SCHEMA.empty_table()
        for _ in attempts(_TRIES):
            self.table.make_writable()
            done = self.table.transaction_version(source)
            if done is not None and done >= version:
                return False
            if self._commit(rows, {source: version}):
                return True
        raise LakeError(f"{self.location}: gave up after {_TRIES:,} conflicting commits of other writers")

    def append_logs(self, rows: pa.Table, transactions: Mapping[str, int]) -> pa.Table | None:
        """Append rows of the table's schema, except events that it already has; return the rows that were added.

        rows: may have further columns, which are returned but not stored. transactions: for each source, how many of
        its rows are stored after this append. Returns None, and does nothing, if another reader added to the lake since
        `self.table` was reloaded.

        Raises LakeError if they cannot be written.
        """
        self.table.make_writable()
        news = without_duplicates(self.table, rows)
        if not news.num_rows:
            return news
        committed = self._commit(
            news.select(self.table.layout.schema.names), {**transactions, _LOGS: self.table.version + 1}
        )
        return news if committed else None

    def _commit(self, rows: pa.Table, transactions: Mapping[str, int]) -> bool:
        if not rows.num_rows:
            return True
        actions = write_days(self.table.files, rows, self.table.layout)
        try:
            self.table.commit(actions, transactions)
        except ConflictError:
            # After any other error the files may be in the table nonetheless.
            remove_files(self.table.files, actions)
            return False
        tidy(self.table, set(pc.unique(days(rows)).to_pylist()))
        return True

    def snapshot(self, since: datetime | None = None, until: datetime | None = None) -> list[DataFile]:
        """Return the files of the newest snapshot that may hold events from `since` on and before `until`."""
        self.table.reload()
        return [file for file in self.table.snapshot() if _may_hold(file, since, until)]

    def files(self, since: datetime | None = None, until: datetime | None = None) -> list[str]:
        """Return paths or URIs of the Parquet files that may hold events from `since` on and before `until`."""
        return [f"{self.table.uri}/{file.path}" for file in self.snapshot(since, until)]

    def batches(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the events from `since` on and before `until`, day by day.

        Connections are batches of `event.LIVE_SCHEMA`, rows of another table batches of its schema. Raises DamageError
        at a damaged file.
        """
        schema = self.table.layout.schema
        for file in self.snapshot(since, until):
            with self.table.open(file) as stream, damage(f"{self.table.uri}/{file.path}"):
                rows = ds.ParquetFileFormat().make_fragment(stream)
                for batch in rows.to_batches(schema=schema, filter=_between(since, until)):
                    if batch.num_rows:
                        yield _live(batch) if schema is SCHEMA else batch

    def info(self) -> Info:
        """Return what the newest snapshot holds."""
        files = self.snapshot()
        readings, reason = [], None
        try:
            readings = self.readings.all()
        except LakeError as error:
            reason = str(error)
        dated = sorted({file.day for file in files if file.day})
        return Info(
            self.location,
            self.table.layout.name,
            self.table.layout.rows,
            self.table.version,
            sum(file.rows for file in files),
            len(files),
            sum(file.size_bytes for file in files),
            dated[0] if dated else None,
            dated[-1] if dated else None,
            len(dated),
            readings,
            reason,
        )

    def compact(self) -> Compaction:
        """Sort each day into few files, and delete files that no query needs; return what was done.

        Raises DamageError, and does nothing, if the commit chain is damaged.
        """
        self._check_chain()
        self.table.make_writable()
        done = compact(self.table)
        self.table.vacuum()
        return done

    def expire(self, older_than: timedelta, *, now: datetime | None = None, dry_run: bool = False) -> list[DataFile]:
        """Drop entire days that ended longer ago than `older_than`; return the files removed from the table.

        The next `compact` or `expire` after a day deletes them, so that no running query loses its files.
        dry_run: only return the files that would be dropped. Raises DamageError, and does nothing, if the commit chain
        is damaged.
        """
        before = ((now or datetime.now(UTC)) - older_than).date()
        if dry_run:
            self.table.reload()
            return expired(self.table, before)
        self._check_chain()
        self.table.make_writable()
        gone = expire(self.table, before)
        self.table.vacuum()
        return gone

    def _check_chain(self) -> None:
        """Raise DamageError if a commit is missing or forged: then files that seem unneeded may be all that is left."""
        with lake_errors(self.location):
            if faults := self.table.chain.examine().lines():
                more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
                raise DamageError(
                    f"{self.table.uri}/{faults[0]}{more}: nothing was done; see lake verify and lake repair"
                )

    def readable(self, file: DataFile) -> Callable[[], Readable]:
        """Return a function that opens a file of the snapshot for checked reads; DamageError names what is damaged."""
        return partial(self.table.readable, file)

    def verify(self) -> Verification:
        """Check the table's commits and every file of the newest snapshot; return the findings."""
        self.table.reload()
        with lake_errors(self.location):
            return verify(self.table)


def verify_tables(location: str, storage_options: Mapping[str, str] | None = None) -> list[tuple[Layout, Verification]]:
    """Verify every table of a lake, even those that cannot be opened; return each table's layout and findings.

    location: as `location.resolve` returns it.
    """
    return [
        (layout, found)
        for layout in LAYOUTS
        if (found := _verified(f"{location}/{layout.name}", layout, storage_options)) is not None
    ]


def _verified(uri: str, layout: Layout, storage_options: Mapping[str, str] | None) -> Verification | None:
    """Return the findings about a table; None if it never existed."""
    try:
        if is_table(uri, storage_options):
            table = Table(uri, storage_options, layout)
            with lake_errors(uri):
                return verify(table)
        with lake_errors(uri):
            files = file_system(uri.rpartition("/")[0], storage_options)
            head = Chain(uri, files, files).head()
        return None if head is None else Verification(faults=[f"is missing, expected its commit {head.commit}"])
    except LakeError as error:
        return Verification(faults=[str(error).removeprefix(f"{uri}/")])


def _may_hold(file: DataFile, since: datetime | None, until: datetime | None) -> bool:
    if file.day is None:
        return since is None and until is None
    return (since is None or file.day >= utc(since).date()) and (until is None or file.day <= utc(until).date())


def _between(since: datetime | None, until: datetime | None) -> pc.Expression | None:
    time = pc.coalesce(pc.field("event_creation_time"), pc.field("event_recorded_time"))
    bounds = [] if since is None else [time >= pa.scalar(utc(since), pa.timestamp("us", tz="UTC"))]
    bounds += [] if until is None else [time < pa.scalar(utc(until), pa.timestamp("us", tz="UTC"))]
    return None if not bounds else bounds[0] if len(bounds) == 1 else bounds[0] & bounds[1]


def _live(batch: pa.RecordBatch) -> pa.RecordBatch:
    missing: Sequence[str] = [name for name in LIVE_SCHEMA.names if name not in SCHEMA.names]
    columns = [
        pa.nulls(batch.num_rows, kept.type) if kept.name in missing else batch[kept.name] for kept in LIVE_SCHEMA
    ]
    return pa.record_batch(columns, schema=LIVE_SCHEMA)
