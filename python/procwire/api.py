"""Provide the Python interface: `read` returns a table, `scan` batches, `hunt` and `detect` findings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from procwire.choices import InputFormat as Format
from procwire.engine import TIMEOUT_S
from procwire.errors import UsageError
from procwire.event import CONNECTION, Event, Names, event_named
from procwire.ledger import Ledger
from procwire.select import STORED_GROUPS, Selection, conjunction
from procwire.sources import read_batches
from procwire.sources.inputs import STDIN, check_paths
from procwire.sources.limits import UnpackLimits
from procwire.sysmon import ConfigFilter, Configuration, load

if TYPE_CHECKING:
    from procwire.hunts import Hunt
    from procwire.lake import Lake
    from procwire.lake.ingest import Step
    from procwire.lake.readings import Reading
    from procwire.sigma import Level, RuleSet

__all__ = [
    "Config",
    "Detection",
    "Format",
    "HuntResult",
    "LakeReading",
    "Paths",
    "Scan",
    "detect",
    "hunt",
    "logged_batches",
    "read",
    "read_into_lake",
    "scan",
]

Config = str | os.PathLike[str] | Configuration | ConfigFilter
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Scan:
    """Iterate over the rows of logs, as `scan` returns them: each iteration reads the logs from the beginning.

    Iterate over it for batches, or pass it to any consumer of Arrow's streams: DuckDB, Polars, `pyarrow.table`. An
    iteration that ends early closes the logs. One iteration at a time: they share the ledger.
    """

    def __init__(self, schema: pa.Schema, ledger: Ledger, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self.schema = schema
        self.ledger = ledger
        """The ledger of the latest reading, final at its end."""
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Read the logs.

        Raises InputError at the end of the batches, if none of the logs could be read.
        """
        return self._batches()

    def to_reader(self) -> pa.RecordBatchReader:
        """Return a reader, which reads the logs once.

        Raises InputError at its end, if none of the logs could be read.
        """
        return pa.RecordBatchReader.from_batches(self.schema, iter(self))

    def read_all(self) -> pa.Table:
        """Read the logs into a table. Raises InputError if none of them could be read."""
        return self.to_reader().read_all()

    def read_pandas(self, **options: Any) -> Any:
        """Read the logs into a DataFrame of pandas. options: those of `pyarrow.Table.to_pandas`."""
        return self.to_reader().read_pandas(**options)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a reading as a stream of Arrow's C interface."""
        return self.to_reader().__arrow_c_stream__(requested_schema)


@dataclass(frozen=True, slots=True)
class HuntResult:
    """Hold what a hunt found."""

    hunt: Hunt
    """With its title, description, parameters and columns."""
    table: pa.Table
    """A row for each finding, of `hunt.schema`, the most remarkable first."""
    ledger: Ledger | None
    """The ledger of reading the logs; None for a lake."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Hold what Sigma rules matched."""

    rules: RuleSet
    """The rules that ran, and the problems of those that did not."""
    table: pa.Table
    """A row for each match, of `procwire.sigma.SCHEMA`, in no order."""
    ledger: Ledger | None
    """The ledger of reading the logs; None for a lake."""


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
) -> Scan:
    """Return the network connections of logs, or another event of theirs, as batches to iterate over.

    Uses constant memory, unless sorted. Each iteration reads the logs again; standard input can be read once.

    paths: files, folders (walked), patterns, `-` for standard input; packed or not.
    columns: those to keep, including derived ones; all stored ones if None.
    where: an SQL predicate in DuckDB's dialect, or several, which must all hold.
    sort: columns, a leading `-` for descending.
    names: the vocabulary of columns, where, sort and of the result.
    format: reads every input as this instead of recognising it. recover: carves EVTX slack space too.
    follow: waits for the logs to grow; the batches do not end.
    ledger: is filled as the batches are read, and final at their end; reading again begins it again.
    config: a Sysmon configuration (a file, or one that `procwire.sysmon` has parsed, or a `ConfigFilter` of it): only
    what it logs is read, and `rule_name` is its value. keep: all is read, and `logged` says which rows it logs.
    event: Sysmon's number or name of it: 3 (connection), 1 (process-creation) or 22 (dns-query).
    unpack: limits what packed files may become; beyond them is damage.

    Raises UsageError, before anything is read, for an event, a column or an SQL predicate that cannot be used, and
    ConfigurationError for a configuration with errors. Raises InputError at once if there is no file at any of the
    paths (unless it follows: then they may come), and at the end of the batches if not one could be read.

    >>> import procwire
    >>> ledger = procwire.Ledger()
    >>> rows = procwire.scan("examples/sysmon.evtx", where="dst_port = 443", ledger=ledger)
    >>> sum(batch.num_rows for batch in rows), ledger.events, ledger.damaged
    (29, 153, False)
    >>> rows.read_all().num_rows
    29
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
    logged = None if config is None else _logged_by(config, keep)
    was_read = False

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal was_read
        if was_read and STDIN in [os.fspath(path) for path in listed]:
            raise UsageError("found a second reading of standard input, expected one: `read` gives a table")
        was_read = True
        rows = read_batches(
            listed, format=format, recover=recover, follow=follow, event=asked, ledger=ledger, unpack=unpack
        )
        rows = _checked(rows, ledger)
        return selection.apply(rows if logged is None else logged_batches(rows, logged(), ledger))

    return Scan(selection.schema, ledger, batches)


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


def hunt(
    name: str,
    /,
    logs: Paths | None = None,
    *,
    lake: str | os.PathLike[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    folders: Iterable[str | Path] = (),
    unpack: UnpackLimits | None = None,
    memory_bytes: int | None = None,
    spill_bytes: int | None = None,
    timeout_s: float | None = TIMEOUT_S,
    **parameters: object,
) -> HuntResult:
    """Hunt in logs, or in a lake: run a query that is useful in every network. docs/hunts.md describes the hunts.

    name: of the hunt. logs: as `connect` takes them. lake: its folder or URI; without either the lake that
    PROCWIRE_LAKE names, or else the user's own. since, until: events from then on, and before then; without a zone in
    UTC; a hunt for what is new since then reads all before `until`. folders: with hunts of your own. unpack,
    memory_bytes, spill_bytes, timeout_s: limits, as `connect` has them. parameters: of the hunt.

    Raises UsageError for a hunt, a parameter or a period that cannot be used, and if there is no lake; LimitError, a
    UsageError, beyond a limit; InputError if not one of the logs could be read; LakeError for a lake that is damaged.

    >>> import procwire
    >>> found = procwire.hunt("top_talkers", "examples/sysmon.evtx", min_connections=10)
    >>> found.table["connections"].to_pylist()
    [123, 12, 10]
    """
    from procwire.hunts import find, prepare
    from procwire.hunts import load as load_hunts
    from procwire.query import QuerySource, open_source

    source = QuerySource(
        logs=None if logs is None else _listed(logs), lake=lake, since=since, until=until, unpack=unpack,
        memory_bytes=memory_bytes, spill_bytes=spill_bytes, timeout_s=timeout_s,
    )  # fmt: skip
    prepared = prepare(find(name, load_hunts(folders)), source, parameters)
    with open_source(prepared.source) as opened:
        opened.check_read()
        table = opened.ask(partial(prepared.run, opened.connection)).read_all()
    return HuntResult(prepared.hunt, table, opened.ledger)


def detect(
    rules: Paths | RuleSet,
    logs: Paths | None = None,
    *,
    lake: str | os.PathLike[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    minimum_level: Level | None = None,
    lists: Mapping[str, str | os.PathLike[str]] | None = None,
    unpack: UnpackLimits | None = None,
    memory_bytes: int | None = None,
    spill_bytes: int | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> Detection:
    """Run Sigma rules over logs, or over a lake, and return what matches, and why. docs/sigma.md describes the rules.

    rules: files, or folders with all below them; or what `procwire.sigma.load` returned. minimum_level: leaves out
    rules below it. lists: for names of placeholders in rules the files with their values. The other arguments
    are those of `hunt`.

    Raises UsageError where no rule runs; all else as `hunt` does.

    >>> import procwire
    >>> found = procwire.detect("examples/rules", "examples/sysmon.evtx")
    >>> len(found.rules.rules), found.table.num_rows, found.ledger.damaged
    (3, 0, False)
    """
    from procwire.query import QuerySource, open_source
    from procwire.sigma import RuleSet, load_usable
    from procwire.sigma import detect as matches_of

    source = QuerySource(
        logs=None if logs is None else _listed(logs), lake=lake, since=since, until=until, unpack=unpack,
        memory_bytes=memory_bytes, spill_bytes=spill_bytes, timeout_s=timeout_s,
    )  # fmt: skip
    files = {name: Path(file) for name, file in (lists or {}).items()}
    chosen = load_usable(rules if isinstance(rules, RuleSet) else map(Path, _listed(rules)), minimum_level, files)
    with open_source(source) as opened:
        opened.check_read()
        table = opened.ask(partial(matches_of, opened.connection, chosen)).read_all()
    return Detection(chosen, table, opened.ledger)


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

    lake: the lake, its folder or URI, which is created if it does not exist; None for the default one. config: the file
    of a Sysmon configuration: only what it logs is added. Other arguments as for `scan`. Events that provide
    connections with context (1 and 22) are all added.

    Raises UsageError as `scan` does, and LakeError if the lake cannot be written. What is in the lake by then stays.
    """
    reading = LakeReading(
        paths, lake, where=where, format=format, recover=recover, ledger=ledger, config=config, unpack=unpack
    )
    reading.run()
    return reading


class LakeReading:
    """Read logs into a lake: `run` reads them, and the attributes then say what became of them.

    Arguments as for `read_into_lake`; lenient, strict: how the configuration is read and applied. An interrupted
    reading continues where it ended when the same is read again.
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
        rules = None if config is None else ConfigFilter(load(config, lenient=lenient), strict=strict)
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
        """Return an entry for each log that was read, with its rows added, left out and there already."""
        return self._ingest.logs

    @property
    def added(self) -> Mapping[str, int]:
        """Return how many rows the lake got, by table."""
        return self._ingest.added

    @property
    def already(self) -> Sequence[str]:
        """Return the names of logs that the lake had: they were not read again."""
        return self._ingest.already

    @property
    def trouble(self) -> str | None:
        """Return why the lake's own ledger cannot be read or written; None if it can.

        The rows are in the lake either way.
        """
        return self._ingest.trouble


def _lake_step(where: list[str], rules: ConfigFilter | None, ledger: Ledger) -> Step | None:
    """Return the step that selects the rows to add; None if all are kept: without a step texts stay coded."""
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
    """Yield the batches; raise InputError at their end if nothing could be read."""
    yield from batches
    ledger.check_read()


def logged_batches(batches: Iterable[pa.RecordBatch], rules: ConfigFilter, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    """Yield batches after rules are applied; rows that they do not log are counted in the ledger."""
    ledger.configuration = rules.configuration.path
    # They may have been applied to other logs before.
    before = rules.unlogged
    for batch in batches:
        logged = rules(batch)
        ledger.unlogged = rules.unlogged - before
        if logged.num_rows:
            yield logged


def _logged_by(config: Config, keep: bool) -> Callable[[], ConfigFilter]:
    """Return a function that returns the rules of a reading. A configuration is loaded and checked once."""
    if isinstance(config, ConfigFilter):
        return lambda: config
    return partial(ConfigFilter, config if isinstance(config, Configuration) else load(config), keep=keep)


def _listed(paths: Paths) -> Sequence[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)
