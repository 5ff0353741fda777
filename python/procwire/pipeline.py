"""Compose one pass over rows: logs or a lake, a configuration, a selection, and an output in any format."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, Protocol

from procwire.errors import UsageError
from procwire.event import CONNECTION, EVENTS, Event, event_named, events_named
from procwire.lake.location import is_lake
from procwire.ledger import Ledger
from procwire.select import STORED_GROUPS, Selection, selection_for
from procwire.sinks.formats import format_named, open_sink
from procwire.sinks.protocol import write_all
from procwire.sources import read_batches
from procwire.sources.inputs import STDIN
from procwire.sources.mappings import LogMapping, load_mapping

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from procwire.choices import EventTable, InputFormat, Names
    from procwire.sinks import Terminal
    from procwire.sources.limits import UnpackLimits
    from procwire.sources.logs import OnProgress
    from procwire.sysmon import ConfigFilter, Configuration

    Config = str | os.PathLike[str] | Configuration | ConfigFilter

__all__ = ["Export", "LakeRows", "LogRows", "Rows", "logged_batches"]


class Rows(Protocol):
    """Provide rows to export."""

    @property
    def schema(self) -> pa.Schema:
        """Return the schema of the batches."""
        ...

    def batches(self, on_progress: OnProgress | None = None) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows. on_progress: called with the bytes read so far and the total, None if unknown."""
        ...


class LogRows:
    """Read the rows of one event from logs: those that a configuration logs, selected, in columns of a vocabulary.

    Arguments as for `procwire.scan`, and: way: the output format, which decides the columns unless `columns` does; None
    for all stored columns. lenient: continue past errors of `config` that Sysmon rejects or skips. strict: reproduce
    Sysmon's bug of stale rule names. checked: raise InputError at the end of the logs if none of them could be read;
    otherwise only the ledger says so.

    Raises UsageError for an event, a column, a period or an SQL predicate that cannot be used, for a configuration with
    another event than connections, and for a lake among the paths; ConfigurationError for a configuration with errors.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        way: str | None = None,
        names: Names = "ossem",
        columns: Sequence[str] | None = None,
        where: str | Sequence[str] | None = None,
        sort: Sequence[str] | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        format: InputFormat | None = None,
        recover: bool = False,
        follow: bool = False,
        ledger: Ledger | None = None,
        config: Config | None = None,
        lenient: bool = False,
        strict: bool = False,
        keep: bool = False,
        event: str | int | Event = CONNECTION,
        unpack: UnpackLimits | None = None,
        mapping: LogMapping | str | os.PathLike[str] | None = None,
        checked: bool = False,
    ) -> None:
        events = (event,) if isinstance(event, Event) else events_named(str(event))
        asked = events[0]
        if config is not None and events != (CONNECTION,):
            found = ", ".join(event.name for event in events)
            raise UsageError(f"found a configuration with event {found}, expected connection: rules are for these")
        if way is not None and format_named(way).whole_events and not set(events) <= set(EVENTS):
            raise UsageError(
                f"found {way} with connections of other providers, expected another format: it holds Sysmon's events"
            )
        if follow and sort:
            raise UsageError("found a sort order for logs that grow, expected none: they have no last row")
        for path in paths:
            # The commits of a lake look like logs without events: the result would be empty.
            if is_lake(os.fspath(path)):
                raise UsageError(
                    f"found the lake {path}, expected logs: `procwire lake export --lake {path}` writes its rows"
                )
        marked = keep and config is not None
        if way is None:
            self._selection = Selection(
                names=names, columns=columns, where=where, sort=sort, limit=limit, since=since, until=until,
                groups=STORED_GROUPS, event=asked, marked=marked,
            )  # fmt: skip
        else:
            self._selection = selection_for(
                way, names=names, columns=columns, where=where, sort=sort, limit=limit, since=since, until=until,
                event=asked, configured=config is not None, marked=marked,
            )  # fmt: skip
        self.schema = self._selection.schema
        self.ledger = Ledger() if ledger is None else ledger
        """The ledger of the latest reading, final at its end."""
        self._rules = None if config is None else _rules(config, lenient=lenient, strict=strict, keep=keep)
        self._paths = list(paths)
        self._read = partial(
            read_batches, self._paths, format=format, recover=recover, follow=follow, events=events, ledger=self.ledger,
            unpack=unpack, mapping=load_mapping(mapping) if isinstance(mapping, str | os.PathLike) else mapping,
        )  # fmt: skip
        self._checked = checked
        self._was_read = False

    def batches(self, on_progress: OnProgress | None = None) -> Generator[pa.RecordBatch, None, None]:
        """Read the logs from the beginning, and yield the rows. Raises UsageError if stdin was read before."""
        if self._was_read and STDIN in [os.fspath(path) for path in self._paths]:
            raise UsageError("found a second reading of standard input, expected one: `read` gives a table")
        self._was_read = True
        return self._batches(on_progress)

    def _batches(self, on_progress: OnProgress | None) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._read(on_progress=on_progress)) as batches:
            rows: Iterator[pa.RecordBatch] = _checked(batches, self.ledger) if self._checked else batches
            if self._rules is not None:
                rows = logged_batches(rows, self._rules(), self.ledger)
            yield from self._selection.apply(rows)


class LakeRows:
    """Read the rows of one event from a lake, selected, in the columns of an output format.

    way: the format. table: the event's table. location: of the lake, a folder or URI; None for the default one. Other
    arguments as for `procwire.scan`. Raises UsageError as `LogRows` does, and if there is no lake.
    """

    def __init__(
        self,
        location: str | None,
        *,
        way: str,
        table: EventTable = "connections",
        names: Names = "ossem",
        columns: Sequence[str] | None = None,
        where: str | Sequence[str] | None = None,
        sort: Sequence[str] | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        from procwire.lake import Lake
        from procwire.period import check_period

        check_period(since, until)
        self._event = event_named(table)
        self._selection = selection_for(
            way, names=names, columns=columns, where=where, sort=sort, limit=limit, event=self._event, stored=True
        )
        self.schema = self._selection.schema
        self._lake = Lake.open(location).beside(table)
        self._period = since, until
        # Losses, attempts and ends of connections are not Sysmon events.
        self._sysmon_only = format_named(way).sysmon_events and self._event == CONNECTION

    def batches(self, on_progress: OnProgress | None = None) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows, day by day unless sorted. on_progress: is not called."""
        from procwire.sinks.kinds import events

        del on_progress
        stored: Iterator[pa.RecordBatch] = self._lake.batches(*self._period) if self._lake else iter(())
        yield from self._selection.apply(map(events, stored) if self._sysmon_only else stored)


class Export:
    """Write rows in a format to a stream of bytes, which the caller closes: call `write`, then `close`.

    way: the output format. terminal: the stream's terminal; None for a file or a pipe. Raises UsageError if a binary
    format would go to a terminal.
    """

    def __init__(self, rows: Rows, way: str, stream: BinaryIO, terminal: Terminal | None = None) -> None:
        self._rows = rows
        self._stream = stream
        self._sink = open_sink(way, stream, rows.schema, terminal)

    def write(
        self,
        *,
        on_progress: OnProgress | None = None,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
        flush: bool = False,
    ) -> int:
        """Write all rows, and return their number.

        on_progress: as for `Rows.batches`. held: entered around the writing of each batch, to defer interruptions.
        flush: flush the stream after each batch, for readers of logs that grow.
        """
        with closing(self._rows.batches(on_progress)) as batches:
            return write_all(batches, self._sink, held, self._stream.flush if flush else None)

    def close(self) -> None:
        """Complete the output after all or some rows were written, also after an interruption."""
        self._sink.close()


def _checked(batches: Iterable[pa.RecordBatch], ledger: Ledger) -> Iterator[pa.RecordBatch]:
    yield from batches
    ledger.check_read()


def logged_batches(batches: Iterable[pa.RecordBatch], rules: ConfigFilter, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    """Yield the batches with rules applied; count the rows that these do not log in the ledger."""
    ledger.configuration = rules.configuration.path
    # They may have been applied to other logs before.
    before = rules.unlogged
    for batch in batches:
        logged = rules(batch)
        ledger.unlogged = rules.unlogged - before
        if logged.num_rows:
            yield logged


def _rules(config: Config, *, lenient: bool, strict: bool, keep: bool) -> Callable[[], ConfigFilter]:
    """Return a function that returns the rules of a reading. A configuration is loaded and checked once."""
    from procwire.sysmon import ConfigFilter, Configuration, load

    if isinstance(config, ConfigFilter):
        return lambda: config
    loaded = config if isinstance(config, Configuration) else load(config, lenient=lenient)
    return partial(ConfigFilter, loaded, strict=strict, keep=keep)
