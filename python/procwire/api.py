"""The Python interface: `read` gives a table, `scan` a stream of batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from procwire.choices import InputFormat as Format
from procwire.errors import UsageError
from procwire.event import CONNECTION, Event, Names, event_named
from procwire.ledger import Ledger
from procwire.rules import Configuration, Rules, load
from procwire.select import STORED_GROUPS, Selection, conjunction
from procwire.sources import read_batches
from procwire.sources.inputs import check_paths
from procwire.sources.limits import UnpackLimits

if TYPE_CHECKING:
    from procwire.lake import Lake
    from procwire.lake.ingest import Step
    from procwire.lake.readings import Reading

__all__ = ["Config", "Format", "LakeReading", "Paths", "logged_batches", "read", "read_into_lake", "scan"]

Config = str | os.PathLike[str] | Configuration | Rules
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def scan(
    paths: Paths,
    *,
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    names: Names = "ossem",
    format: Format | None = None,
    recover: bool = False,
    follow: bool = False,
    ledger: Ledger | None = None,
    config: Config | None = None,
    keep: bool = False,
    event: str | int | Event = CONNECTION,
    unpack: UnpackLimits | None = None,
) -> pa.RecordBatchReader:
    """Stream the network connections of logs, or another event of theirs, in constant memory (unless sorted). The
    stream can be read once.

    paths: files, folders (walked), patterns, `-` for standard input; packed or not.
    columns: those to keep, derived ones among them; all that are stored if None.
    where: an SQL predicate in DuckDB's dialect, or several, which must all hold.
    sort: columns, a leading `-` for descending.
    names: the vocabulary of columns, where, sort and of the result.
    format: reads every input as this instead of recognising it. recover: carves EVTX slack space too.
    follow: waits for the logs to grow; the stream does not end.
    ledger: is filled as the stream is read, and final at its end.
    config: a Sysmon configuration (a file, or one that `procwire.rules` has parsed or made `Rules` of): only what it
    logs is read, and `rule_name` is what it gives. keep: all is read, and the column `logged` tells the difference.
    event: Sysmon's number or name of it: 3 (connection), 1 (process-creation) or 22 (dns-query).
    unpack: limits what packed files may become; beyond them is damage.

    Raises UsageError, before anything is read, for an event, a column or an SQL predicate that cannot be used, and
    ConfigurationError for a configuration with errors. Raises InputError at once if there is no file at any of the
    paths (unless it follows: then they may come), and at the end of the stream if not one could be read.

    >>> import procwire
    >>> ledger = procwire.Ledger()
    >>> reader = procwire.scan("examples/sysmon.evtx", where="dst_port = 443", ledger=ledger)
    >>> sum(batch.num_rows for batch in reader), ledger.events, ledger.damaged
    (29, 153, False)
    """
    marked = keep and config is not None
    asked = event if isinstance(event, Event) else event_named(str(event))
    if config is not None and asked != CONNECTION:
        raise UsageError(f"found a configuration with event {asked.name}, expected connection: rules are for these")
    selection = Selection(
        names=names, columns=columns, where=where, sort=sort, limit=limit, groups=STORED_GROUPS, event=asked,
        marked=marked,
    )  # fmt: skip
    ledger = Ledger() if ledger is None else ledger
    listed = _listed(paths)
    if not follow:
        check_paths(listed)
    batches = _checked(
        read_batches(listed, format=format, recover=recover, follow=follow, event=asked, ledger=ledger, unpack=unpack),
        ledger,
    )
    if config is not None:
        batches = logged_batches(batches, _rules(config, keep), ledger)
    return pa.RecordBatchReader.from_batches(selection.schema, selection.apply(batches))


def read(
    paths: Paths,
    *,
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    names: Names = "ossem",
    format: Format | None = None,
    recover: bool = False,
    ledger: Ledger | None = None,
    config: Config | None = None,
    keep: bool = False,
    event: str | int | Event = CONNECTION,
    unpack: UnpackLimits | None = None,
) -> pa.Table:
    """Read the network connections of logs, or another event of theirs, into a table. Arguments as for `scan`.

    Raises UsageError as `scan` does, and InputError if not one of the inputs could be read.

    >>> import procwire
    >>> table = procwire.read("examples/sysmon.evtx", columns=["process_base_name", "dst_ip", "dst_port"], limit=2)
    >>> table.to_pylist()[0]
    {'process_base_name': 'svchost.exe', 'dst_ip': '192.168.62.254', 'dst_port': 67}
    """
    return scan(
        paths,
        columns=columns,
        where=where,
        sort=sort,
        limit=limit,
        names=names,
        format=format,
        recover=recover,
        ledger=ledger,
        config=config,
        keep=keep,
        event=event,
        unpack=unpack,
    ).read_all()


def read_into_lake(
    paths: Paths,
    lake: Lake | str | os.PathLike[str] | None = None,
    *,
    where: str | Sequence[str] | None = None,
    format: Format | None = None,
    recover: bool = False,
    ledger: Ledger | None = None,
    config: str | os.PathLike[str] | None = None,
    unpack: UnpackLimits | None = None,
) -> LakeReading:
    """Read logs into a lake, each event once however often its log is read, and return what became of them.

    lake: the lake, its folder or URI, which is made if it is not there; None for the default one. config: the file of a
    Sysmon configuration: only what it logs is added. Other arguments as for `scan`. What gives connections context
    (events 1 and 22) is added whole.

    Raises UsageError as `scan` does, and LakeError if the lake cannot be written. What is in the lake by then stays.
    """
    reading = LakeReading(
        paths, lake, where=where, format=format, recover=recover, ledger=ledger, config=config, unpack=unpack
    )
    reading.run()
    return reading


class LakeReading:
    """Reads logs into a lake: `run` reads them, and the attributes then say what became of them.

    Arguments as for `read_into_lake`; lenient, strict: how the configuration is read and applied. What is interrupted
    goes on where it ended when the same is read again.
    """

    ledger: Ledger
    """What was read; a log that the lake has is not read again, and is not in it."""
    location: str
    """The lake's absolute path or URI."""

    def __init__(
        self,
        paths: Paths,
        lake: Lake | str | os.PathLike[str] | None = None,
        *,
        where: str | Sequence[str] | None = None,
        format: Format | None = None,
        recover: bool = False,
        ledger: Ledger | None = None,
        config: str | os.PathLike[str] | None = None,
        lenient: bool = False,
        strict: bool = False,
        unpack: UnpackLimits | None = None,
    ) -> None:
        from procwire.lake import Lake
        from procwire.lake.ingest import Ingest, selection_text
        from procwire.lake.location import check_location

        if not isinstance(lake, Lake):
            check_location(None if lake is None else os.fspath(lake))
        predicates = [where] if isinstance(where, str) else list(where or ())
        rules = None if config is None else Rules(load(config, lenient=lenient), strict=strict)
        self.ledger = Ledger() if ledger is None else ledger
        self._paths = _listed(paths)
        self._format: Format | None = format
        self._recover = recover
        self._unpack = unpack
        step = _lake_step(predicates, rules, self.ledger)
        if not isinstance(lake, Lake):
            lake = Lake.open(lake, create=True)
        self.location = lake.location
        text = "" if config is None else Path(config).read_text(encoding="utf-8", errors="replace")
        predicate = predicates[0] if len(predicates) == 1 else conjunction(predicates)
        chosen = selection_text(predicate, text, format, recover=recover, lenient=lenient, strict=strict)
        self._ingest = Ingest(lake, step=step, selection=chosen)

    def run(self, *, follow: bool = False, on_progress: Callable[[int, int | None], None] | None = None) -> None:
        """Read the logs to their end; may be called once.

        follow: wait for more as they grow, and add each event that comes, until a KeyboardInterrupt. on_progress:
        called with the bytes read so far and in all, None where that is unknown.

        Raises LakeError if the lake cannot be written.
        """
        from procwire.lake.owner import hand_over

        try:
            self._ingest.run(
                self._paths,
                format=self._format,
                recover=self._recover,
                follow=follow,
                ledger=self.ledger,
                on_progress=on_progress,
                unpack=self._unpack,
            )
        finally:
            hand_over(self.location)

    @property
    def logs(self) -> Sequence[Reading]:
        """An entry for each log that was read, with its rows added, left out and there already."""
        return self._ingest.logs

    @property
    def added(self) -> Mapping[str, int]:
        """Rows that the lake got, by table."""
        return self._ingest.added

    @property
    def already(self) -> Sequence[str]:
        """Names of logs that the lake had: they were not read again."""
        return self._ingest.already

    @property
    def trouble(self) -> str | None:
        """Why the lake's own ledger cannot be read or written; None if it can. The rows are in the lake either way."""
        return self._ingest.trouble


def _lake_step(where: list[str], rules: Rules | None, ledger: Ledger) -> Step | None:
    """Return what keeps the rows to add; None if all are kept: without a step texts stay coded on their way."""
    selection = Selection(where=where, groups=STORED_GROUPS) if where else None
    if rules is not None:
        ledger.configuration = rules.configuration.path
    elif selection is None:
        return None

    def step(batch: pa.RecordBatch) -> pa.RecordBatch:
        kept = batch if rules is None else rules(batch)
        if rules is not None:
            ledger.unlogged = rules.unlogged
        return kept if selection is None else next(selection.apply([kept]), kept.slice(0, 0))

    return step


def _checked(batches: Iterator[pa.RecordBatch], ledger: Ledger) -> Iterator[pa.RecordBatch]:
    """The batches; raises InputError at their end if nothing could be read."""
    yield from batches
    ledger.check_read()


def logged_batches(batches: Iterable[pa.RecordBatch], rules: Rules, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    """What rules make of batches; what they do not log is counted in the ledger."""
    ledger.configuration = rules.configuration.path
    for batch in batches:
        logged = rules(batch)
        ledger.unlogged = rules.unlogged
        if logged.num_rows:
            yield logged


def _rules(config: Config, keep: bool) -> Rules:
    if isinstance(config, Rules):
        return config
    return Rules(config if isinstance(config, Configuration) else load(config), keep=keep)


def _listed(paths: Paths) -> Sequence[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
