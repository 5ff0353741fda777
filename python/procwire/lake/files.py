"""The Parquet files of a table: writes them, and describes their content to Delta."""

from __future__ import annotations

import json
import math
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from procwire.lake.digested import DigestingStream, named
from procwire.lake.schema import DAY, STATISTICS, Layout, days, in_milliseconds, is_in_milliseconds, parquet

__all__ = ["FileWriter", "day_folder", "is_data_file", "remove_files", "write_days"]

# The names that `FileWriter` gives.
_DATA_FILE = re.compile(
    rf"({DAY}=[^/]+/)?[a-z]+-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}(-[0-9a-f]{{64}})?\.parquet"
)
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"
# Level for appended files: they are compacted later. Statistics of all columns would take a sixth of the time.
_QUICK = 1
# A day with more rows than this is written to several files at a time.
_FILE_ROWS = 64 << 10
_BUFFER_BYTES = 64 << 10


class FileWriter:
    """Write one file of one day, piece by piece; `close` returns the action that adds it to the table."""

    def __init__(
        self,
        files: pyarrow.fs.FileSystem,
        day: date | None,
        *,
        layout: Layout,
        schema: pa.Schema,
        level: int,
        kind: str = "part",
    ) -> None:
        folder = f"{day_folder(day)}/" if layout.by_day else ""
        self.path = f"{folder}{kind}-{uuid.uuid4()}.parquet"
        self.rows = 0
        self._partition = {DAY: None if day is None else day.isoformat()} if layout.by_day else {}
        self._bounds: dict[str, tuple[Any, Any]] = {}
        self._nulls = dict.fromkeys((name for name in STATISTICS if name in schema.names), 0)
        self._files = files
        if folder:
            files.create_dir(folder)
        # Buffered: unbuffered streams of object stores reject what Python writes.
        self._stream = files.open_output_stream(self.path, buffer_size=_BUFFER_BYTES)
        self._digesting = DigestingStream(self._stream)
        self._schema = schema
        settings = parquet(schema, level=level, is_sorted=level > _QUICK)
        self._writer = pq.ParquetWriter(self._digesting, schema, **settings)

    def write(self, rows: pa.Table) -> None:
        """Write rows as one row group."""
        self._writer.write_table(rows.cast(self._schema), row_group_size=max(1, rows.num_rows))
        self.rows += rows.num_rows
        for name in self._nulls:
            column = rows[name]
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            self._nulls[name] += column.null_count
            bounds = pc.min_max(column)
            known = [bounds["min"].as_py(), bounds["max"].as_py(), *self._bounds.get(name, ())]
            if values := [value for value in known if value is not None]:
                self._bounds[name] = min(values), max(values)

    def close(self, *, data_change: bool) -> AddAction:
        """Write the footer and rename the file to its final name; return the action that adds it to the table."""
        self._writer.add_key_value_metadata(self._digesting.end_body())
        self._writer.close()
        self._stream.close()
        written, self.path = self.path, named(self.path, self._digesting.footer_digest)
        self._files.move(written, self.path)
        size = self._files.get_file_info(self.path).size
        statistics = {
            "numRecords": self.rows,
            "minValues": {name: _bound(low) for name, (low, _) in self._bounds.items()},
            "maxValues": {name: _bound(high, up=True) for name, (_, high) in self._bounds.items()},
            "nullCount": self._nulls,
        }
        return AddAction(self.path, size, self._partition, time.time_ns() // 10**6, data_change, json.dumps(statistics))


def day_folder(day: date | None) -> str:
    """Return the folder of a day's files, relative to the table; None for rows without a time."""
    return f"{DAY}={_NO_DAY if day is None else day.isoformat()}"


def is_data_file(path: str) -> bool:
    """Return whether a path, relative to the table, is one that `FileWriter` gives: other files are not ours."""
    return _DATA_FILE.fullmatch(path) is not None


def write_days(files: pyarrow.fs.FileSystem, rows: pa.Table, layout: Layout) -> list[AddAction]:
    """Write the rows to files, separately for each day, in one thread per core; return the actions that add them."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda part: _write(files, layout, *part), _parts(rows, layout)))


def _parts(rows: pa.Table, layout: Layout) -> Iterator[tuple[date | None, pa.Table]]:
    for day, part in _by_day(rows) if layout.by_day else [(None, rows)]:
        pieces = min(math.ceil(part.num_rows / _FILE_ROWS), os.cpu_count() or 1)
        size = math.ceil(part.num_rows / pieces)
        yield from ((day, part.slice(start, size)) for start in range(0, part.num_rows, size))


def _write(files: pyarrow.fs.FileSystem, layout: Layout, day: date | None, rows: pa.Table) -> AddAction:
    schema = in_milliseconds(rows.schema) if layout.by_day and is_in_milliseconds(rows) else rows.schema
    writer = FileWriter(files, day, layout=layout, schema=schema, level=_QUICK)
    writer.write(rows)
    return writer.close(data_change=True)


def _by_day(rows: pa.Table) -> Iterator[tuple[date | None, pa.Table]]:
    row_days = days(rows).combine_chunks()
    runs = pc.run_end_encode(row_days)
    if len(runs.values) > len(pc.unique(runs.values)):
        # Only rows whose days alternate need to be copied.
        rows = rows.take(pc.sort_indices(row_days))
        runs = pc.run_end_encode(days(rows).combine_chunks())
    start = 0
    for day, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield day, rows.slice(start, end - start)
        start = end


def remove_files(files: pyarrow.fs.FileSystem, actions: Iterable[AddAction]) -> None:
    """Remove files that were written but not committed; one that cannot be removed is a harmless orphan."""
    for action in actions:
        with suppress(OSError):
            files.delete_file(action.path)


def _bound(value: Any, *, up: bool = False) -> Any:
    """Return a least or greatest value as Delta's JSON has it: times in milliseconds, the greatest rounded up."""
    if not isinstance(value, datetime):
        return value
    if up:
        # There is no time after the last one.
        value += min(timedelta(microseconds=999), datetime.max.replace(tzinfo=UTC) - value)
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
