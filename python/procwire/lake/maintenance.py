"""Maintenance of a table: compaction, expiry, verification.

Only one maintenance task commits at a time: each commits the transaction `MAINTENANCE`, and Delta accepts only the
first of two. Appends continue meanwhile, and never conflict with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from procwire.errors import DamageError, LakeError
from procwire.lake.digested import footer_digest
from procwire.lake.files import FileWriter, is_data_file, remove_files
from procwire.lake.schema import CREATION, DAY, days, in_milliseconds
from procwire.lake.sorting import sorted_rows
from procwire.lake.table import ConflictError, DataFile, Table
from procwire.lake.torn import is_aside
from procwire.lake.verified import ReadableFile, check, damage
from procwire.retry import attempts

__all__ = ["MAINTENANCE", "Compaction", "Verification", "compact", "expire", "expired", "faults_of", "tidy", "verify"]

MAINTENANCE = "procwire/maintenance"

_SORTED = "sorted"
_MERGED = "merged"
_SMALL_BYTES = 8 << 20
_TOO_MANY = 16
# A file of about 128 MB, at 15 bytes per event.
_FILE_ROWS = 8 << 20
_THOROUGH = 9
# Days with few rows get the densest level: it saves 2% there, and next to nothing with more rows.
_FEW_ROWS = 128 << 10
_DENSEST = 15
# Days compacted, or files verified, at a time: each takes about a hundred MB.
_THREADS = 2
_VERIFIED_ROWS = 128 << 10
_DECAY_MS = 100
_QUICK = 3
_TRIES = 5


@dataclass(slots=True)
class Compaction:
    """Count what a compaction did."""

    days: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rows: int = 0


def compact(table: Table) -> Compaction:
    """Sort each day that is not sorted yet into as few files as possible, two days at a time; return what was done."""
    done = Compaction()
    with _kept_memory(), ThreadPoolExecutor(_THREADS) as pool:
        old = {
            pool.submit(_written, table, files, _SORTED): files for _, files in _by_day(table) if not _is_compact(files)
        }
        try:
            for writing in as_completed(old):
                _attempt(table, old[writing], writing.result(), done)
        finally:
            pool.shutdown(cancel_futures=True)
    return done


def tidy(table: Table, touched: set[date | None]) -> Compaction:
    """Merge the small files of days with many of them, unless another writer is doing it; return what was done.

    touched: the days to consider; None among them means rows without a time.
    """
    done = Compaction()
    for day, files in _by_day(table):
        small = [file for file in files if file.size_bytes < _SMALL_BYTES]
        if day in touched and len(small) >= _TOO_MANY:
            with suppress(ConflictError):
                _rewrite(table, small, done, _MERGED)
    return done


def expired(table: Table, before: date) -> list[DataFile]:
    """Return the files of days before a date; files of rows without a time are never among them."""
    return [file for file in table.snapshot() if file.day is not None and file.day < before]


def expire(table: Table, before: date) -> list[DataFile]:
    """Remove the days before a date from the table, and return their files; rows without a time stay.

    Raises LakeError if other maintenance commits first each time.
    """
    for _ in attempts(_TRIES):
        table.reload()
        old = expired(table, before)
        if not old:
            return []
        try:
            table.commit([table.removal(file, data_change=True) for file in old], {MAINTENANCE: table.version + 1})
        except ConflictError:
            continue
        return old
    raise LakeError(f"{table.uri}: gave up after {_TRIES} conflicting commits of other maintenance; try again")


@dataclass(slots=True)
class Verification:
    """Hold the findings about a snapshot's files and commits."""

    files: int = 0
    rows: int = 0
    faults: list[str] = field(default_factory=list)
    """One line each."""
    others: list[tuple[str, int]] = field(default_factory=list)
    """Path and size in bytes of files not in the snapshot: replaced by compaction, or left by a killed writer."""
    torn: list[str] = field(default_factory=list)
    """Paths of commits that a power cut tore, and that were set aside."""
    undigested: int = 0
    """Number of files by an older procwire, which have no digests: compaction adds them."""
    commits: int = 0
    unchained: int = 0
    """Number of commits by an older procwire, which are in no chain."""
    digests: Mapping[int, str] = field(default_factory=dict)
    """Digest of each existing commit, by version."""


def verify(table: Table) -> Verification:
    """Check the commits against their chain, and every file of the snapshot against what the table says about it."""
    found = Verification()
    commits = table.chain.examine()
    found.commits, found.unchained, found.faults = commits.commits, commits.unchained, commits.lines()
    found.digests = commits.digests
    snapshot = table.snapshot()
    with ThreadPoolExecutor(_THREADS) as pool:
        for file, faults in zip(snapshot, pool.map(partial(faults_of, table), snapshot), strict=True):
            found.files += 1
            found.rows += file.rows
            found.undigested += footer_digest(file.path) is None
            found.faults += [f"{file.path}: {fault}" for fault in faults]
    own = {file.path for file in snapshot}
    for there in table.files.get_file_info(pyarrow.fs.FileSelector("", recursive=True)):
        # Checkpoints of the table's log are also Parquet.
        is_data = there.path.startswith(f"{DAY}=") or is_data_file(there.path)
        if there.is_file and is_data and there.path not in own:
            found.others.append((there.path, there.size))
        elif there.is_file and is_aside(there.path):
            found.torn.append(there.path)
    return found


def faults_of(table: Table, file: DataFile) -> list[str]:
    """Read a file of the snapshot; return a line for each difference from what the table says about it."""
    try:
        with damage(path := f"{table.uri}/{file.path}"):
            return list(_differences(table, file))
    except DamageError as error:
        return [str(error).removeprefix(f"{path}: ")]


def _differences(table: Table, file: DataFile) -> Iterator[str]:
    readable = table.readable(file)
    with ReadableFile(readable) as stream:
        check(readable)
        stored = pq.read_schema(stream)
        if unfit := _unfit(stored, table):
            yield f"found columns that do not fit the table: {', '.join(unfit)}"
            return
        # Reading texts as dictionary codes takes a third of the time.
        texts = [name for name in table.layout.texts if name in stored.names]
        content = pq.ParquetFile(stream, page_checksum_verification=True, read_dictionary=texts)
        rows, other_days = 0, 0
        for part in content.iter_batches(_VERIFIED_ROWS):
            rows += part.num_rows
            if table.layout.by_day:
                same = pc.equal(days(part), file.day) if file.day else pc.is_null(days(part))
                other_days += part.num_rows - (pc.sum(same).as_py() or 0)
    if rows != file.rows:
        yield f"found {rows:,} rows, expected {file.rows:,}"
    if other_days:
        yield f"found {other_days:,} rows of another day than {file.day}"


def _unfit(found: pa.Schema, table: Table) -> list[str]:
    """Return the columns of a file that the table lacks or has with another type. A file may lack newer columns."""
    schema, newer = table.layout.sorted_schema, table.unknown_columns
    fit = (*schema, *in_milliseconds(schema), *table.layout.schema)
    return [column.name for column in found if column not in fit and column.name not in newer]


@contextmanager
def _kept_memory() -> Iterator[None]:
    """Use jemalloc: Arrow's default allocator frees memory so fast that clearing it again takes a third of the time."""
    usual = pa.default_memory_pool()
    usual.release_unused()
    if "jemalloc" in pa.supported_memory_backends():
        pa.jemalloc_set_decay_ms(_DECAY_MS)
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.default_memory_pool().release_unused()
        pa.set_memory_pool(usual)


def _by_day(table: Table) -> list[tuple[date | None, list[DataFile]]]:
    return [(day, list(files)) for day, files in groupby(table.snapshot(), key=lambda file: file.day)]


def _is_in_milliseconds(table: Table, file: DataFile) -> bool:
    with table.open(file) as stream, damage(f"{table.uri}/{file.path}"):
        unit: str = pq.read_schema(stream).field(CREATION).type.unit
    return unit == "ms"


def _is_compact(files: Sequence[DataFile]) -> bool:
    names = [file.path.rpartition("/")[2] for file in files]
    is_sorted = all(_SORTED in name and footer_digest(name) for name in names)
    return is_sorted and len(files) <= math.ceil(sum(file.rows for file in files) / _FILE_ROWS)


def _attempt(table: Table, files: Sequence[DataFile], added: Sequence[AddAction], done: Compaction) -> None:
    """Commit a rewritten day; if another process committed first, write the day's current files again."""
    day = files[0].day
    for _ in attempts(_TRIES):
        try:
            return _replace(table, files, added, done)
        except ConflictError:
            files = next((found for other, found in _by_day(table) if other == day), [])
            if _is_compact(files):
                return None
            added = _written(table, files, _SORTED)
    raise LakeError(f"{table.uri}: gave up after {_TRIES} conflicting commits of other maintenance; try again")


def _rewrite(table: Table, files: Sequence[DataFile], done: Compaction, kind: str) -> None:
    _replace(table, files, _written(table, files, kind), done)


def _written(table: Table, files: Sequence[DataFile], kind: str) -> list[AddAction]:
    """Write the rows of files to new files; return the actions that add these to the table."""
    added, written, rows = [], 0, sum(file.rows for file in files)
    for writer in _sorted_files(table, files, kind, _level(kind, rows)):
        added.append(writer.close(data_change=False))
        written += writer.rows
    if written != rows:
        remove_files(table.files, added)
        raise LakeError(f"{table.uri}: found {written:,} rows in day {files[0].day}, expected {rows:,}: see verify")
    return added


def _level(kind: str, rows: int) -> int:
    if kind == _MERGED:
        return _QUICK
    return _DENSEST if rows <= _FEW_ROWS else _THOROUGH


def _replace(table: Table, old: Sequence[DataFile], added: Sequence[AddAction], done: Compaction) -> None:
    """Commit new files in place of old ones.

    Raises ConflictError, and removes the new files, if some old file is no longer in the table.
    """
    try:
        # Also needed for the version: a commit does not update the snapshot.
        table.reload()
        if not {file.path for file in old} <= {file.path for file in table.snapshot()}:
            raise ConflictError(f"{table.uri}: other maintenance committed first")
        removed = [table.removal(file, data_change=False) for file in old]
        table.commit([*removed, *added], {MAINTENANCE: table.version + 1})
    except ConflictError:
        table.reload()
        remove_files(table.files, added)
        raise
    done.days += 1
    done.rows += sum(file.rows for file in old)
    done.files_before += len(old)
    done.files_after += len(added)
    done.bytes_before += sum(file.size_bytes for file in old)
    done.bytes_after += sum(action.size for action in added)


def _sorted_files(table: Table, old: Sequence[DataFile], kind: str, level: int) -> Iterator[FileWriter]:
    """Write the rows of files, sorted, to new files; yield each writer when its file is full."""
    schema = table.layout.sorted_schema
    if table.layout.by_day and all(_is_in_milliseconds(table, file) for file in old):
        schema = in_milliseconds(schema)
    writer: FileWriter | None = None
    for rows in sorted_rows(table, old):
        writer = writer or FileWriter(
            table.files, old[0].day, layout=table.layout, schema=schema, level=level, kind=kind
        )
        writer.write(rows)
        # Free it: otherwise it stays in memory beside the next part.
        del rows
        if writer.rows >= _FILE_ROWS:
            yield writer
            writer = None
    if writer is not None:
        yield writer
