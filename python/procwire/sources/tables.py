"""Open files that hold tables already: Parquet, and Arrow's streams and files, as procwire writes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq

from procwire.errors import UsageError
from procwire.event import CONNECTION, DNS_QUERY, NAMES, PROCESS_CREATION, Event, Field
from procwire.ledger import EXAMPLES_PER_KIND, READ_ERROR, Example, FileLedger, Tally
from procwire.sources.inputs import STDIN, Found, TableFormat, expand, is_regular, name_of, table_format

if TYPE_CHECKING:
    from procwire.choices import Names

__all__ = ["ERRORS", "TableFile", "find_tables", "open_table"]

# Columns that distinguish the events, and our tables from others.
_TELLING: dict[Event, tuple[str, ...]] = {
    CONNECTION: ("event_creation_time", "process_name", "dst_ip"),
    PROCESS_CREATION: ("event_creation_time", "process_guid", "process_command_line"),
    DNS_QUERY: ("event_creation_time", "process_guid", "dns_query_name"),
}
ERRORS = (OSError, UnicodeError, pa.ArrowException)
"""What reading a file may raise."""
_BATCH_ROWS = 1 << 16


@dataclass(slots=True)
class TableFile:
    """Read a Parquet or Arrow file whose rows are of one event."""

    path: str
    format: TableFormat
    event: Event
    names: Names
    """The vocabulary of its columns."""
    schema: pa.Schema
    account: FileLedger = field(repr=False)
    rows: int = 0
    """Of a Parquet file; an Arrow file does not say before it is read."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of an Arrow file; damage is recorded in `account`, and ends them."""
        for batch in self.raw_batches():
            self.count(batch.num_rows)
            yield batch

    def raw_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a file of either format, without counting them; damage also ends them."""
        try:
            with _file(self.path) as file:
                for batch in _arrow(file) if self.format == "arrow" else _parquet(file):
                    # Arrow takes offsets and UTF-8 on trust, and reads beyond its buffers where they are forged.
                    batch.validate(full=True)
                    yield batch
        except ERRORS as error:
            self.damaged(error)

    @property
    def local_times(self) -> list[Field]:
        """Return the columns whose times have no zone, and so may be local. UtcTime is in UTC without saying so."""
        kinds = {column.name: column.type for column in self.schema}
        found = [(field, kinds.get(field.named(self.names))) for field in self.event.fields]
        return [
            field
            for field, kind in found
            if kind is not None and pa.types.is_timestamp(kind) and kind.tz is None and field.sysmon != "UtcTime"
        ]

    def unreadable(self, field: Field, count: int, expected: str) -> None:
        """Record values that are null in the table."""
        name = field.named(self.names)
        tally = self.account.warnings.setdefault("unreadable value", Tally())
        tally.count += count
        if len(tally.examples) < EXAMPLES_PER_KIND:
            detail = f"{name}: found {self.schema.field(name).type}, expected {expected}"
            tally.examples.append(Example(0, None, detail))

    def damaged(self, error: Exception) -> None:
        """Record the error that ended the reading."""
        self.account.damage[READ_ERROR] = _tally(error)

    def count(self, rows: int) -> None:
        """Add rows to the ledger."""
        self.account.records += rows
        self.account.events += rows
        self.account.by_event[self.event.name] = self.account.events


def find_tables(paths: Sequence[str | os.PathLike[str]]) -> tuple[list[TableFile], list[FileLedger]]:
    """Return the Parquet and Arrow files among what `paths` stand for, and the ledgers of all files.

    The ledgers include files that cannot be read, or are not procwire's.

    Raises UsageError for the files of a lake: only its log says which of them count.
    """
    found: list[TableFile] = []
    accounts: list[FileLedger] = []
    for entry in expand(paths):
        if (kind := _format(entry)) is None:
            continue
        account = FileLedger(entry.name, kind, named=entry.named)
        accounts.append(account)
        if not entry.named and _is_hidden(entry.path):
            account.not_followed = "hidden: it belongs to a recording that has not published it"
        else:
            _check_no_lake(entry.path)
            table = _tried(entry.path, kind, account)
            found += [table] if table else []
    return found, accounts


def open_table(path: str, *, named: bool) -> tuple[TableFile | None, FileLedger]:
    """Open a Parquet or Arrow file: None if it cannot be read, or is not procwire's; its ledger then says why.

    named: whether the user named it. The files of a lake cannot be read directly: only its log says which count.
    """
    name = name_of(path)
    if not named and _is_hidden(path):
        return None, FileLedger(name, named=False, error="found a hidden table, expected what a recording published")
    try:
        _check_no_lake(path)
        kind = table_format(path) or "parquet"
    except (OSError, UsageError) as error:
        return None, FileLedger(name, named=named, error=str(error))
    account = FileLedger(name, kind, named=named)
    return _tried(path, kind, account), account


def _tried(path: str, format: TableFormat, account: FileLedger) -> TableFile | None:
    try:
        account.bytes = Path(path).stat().st_size
        return _opened(path, format, account)
    except UsageError as error:
        account.error = str(error)
    except Exception as error:
        # A hostile file may raise any error here. It was meant to hold rows: it is not a file without a log.
        account.error = f"cannot be read as {format.title()}: {_line(error)}"
        account.unreadable = True
    return None


def _is_hidden(path: str) -> bool:
    # It belongs to a recording that has not published it.
    return Path(path).name.startswith(".")


def _format(entry: Found) -> TableFormat | None:
    # The reader of logs reports files that cannot be opened, and reads those that can be read only once.
    with suppress(OSError, ValueError):
        if entry.path != STDIN and entry.error is None and is_regular(entry.path):
            return table_format(entry.path)
    return None


def _check_no_lake(path: str) -> None:
    for folder in Path(path).absolute().parents[:2]:
        if (folder / "_delta_log").is_dir():
            raise UsageError(
                f"found the files of the lake {name_of(str(folder.parent))}, expected logs: --lake asks a lake"
            )


def _opened(path: str, format: TableFormat, account: FileLedger) -> TableFile:
    if format == "arrow":
        with _file(path) as file:
            schema = _reader(file).schema
        return TableFile(path, format, *_recognised(schema.names, format), schema, account)
    with _file(path) as file:
        metadata = pq.read_metadata(file)
    schema = metadata.schema.to_arrow_schema()
    return TableFile(path, format, *_recognised(schema.names, format), schema, account, metadata.num_rows)


def _recognised(columns: Iterable[str], format: str) -> tuple[Event, Names]:
    """Return a table's event, and the vocabulary of its columns. Raises UsageError for another table."""
    columns = list(columns)
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise UsageError(f"found {format.title()} with the column {twice[0]} twice, expected each once")
    lacking = {(event, names): _lacking(event, names, set(columns)) for names in NAMES for event in _TELLING}
    best = min(lacking, key=lambda way: len(lacking[way]))
    if lacking[best]:
        raise UsageError(
            f"found {format.title()} without the column{'s' * (len(lacking[best]) > 1)} {', '.join(lacking[best])},"
            f" expected {best[0].rows} as `read` and `record` write them"
        )
    return best


def _lacking(event: Event, names: Names, columns: set[str]) -> list[str]:
    telling = (field.named(names) for field in event.fields if field.name in _TELLING[event])
    return [name for name in telling if name not in columns]


def _file(path: str) -> pa.NativeFile:
    # As bytes, for a name need not be text.
    return pa.OSFile(os.fsencode(path))


def _reader(file: pa.NativeFile) -> pa.RecordBatchStreamReader | pa.RecordBatchFileReader:
    magic = file.read(6)
    file.seek(0)
    return pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)


def _arrow(file: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    reader = _reader(file)
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(number) for number in range(reader.num_record_batches))
    return cast("Iterator[pa.RecordBatch]", iter(reader))


def _parquet(file: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    whole = pq.ParquetFile(file, page_checksum_verification=True)
    return cast("Iterator[pa.RecordBatch]", whole.iter_batches(_BATCH_ROWS))


def _tally(error: Exception) -> Tally:
    return Tally(1, [Example(0, None, _line(error))])


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
