"""The Python interface: read, scan, export, hunt and detect in logs or a lake, and record this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from procwire.engine import TIMEOUT_S
from procwire.event import CONNECTION, Event
from procwire.files import OutputFile
from procwire.ledger import Ledger
from procwire.pipeline import Export, LogRows
from procwire.select import STORED_GROUPS, Selection, conjunction
from procwire.sinks.formats import canonical, format_of_path
from procwire.sources.inputs import check_paths
from procwire.sources.limits import UnpackLimits
from procwire.sources.mappings import LogMapping
from procwire.targets import check_files

if TYPE_CHECKING:
    from procwire.choices import InputFormat as Format
    from procwire.choices import Level, Names, ProtocolChoice, SensorName
    from procwire.hunts import Hunt
    from procwire.lake import Lake
    from procwire.lake.ingest import Step
    from procwire.lake.readings import Reading
    from procwire.pipeline import Config
    from procwire.recorder.notices import Notice
    from procwire.recorder.session import RecordingResult
    from procwire.sigma import RuleSet
    from procwire.sysmon import ConfigFilter

__all__ = [
    "Detection",
    "HuntResult",
    "LakeReading",
    "Paths",
    "Scan",
    "detect",
    "export",
    "hunt",
    "read",
    "read_into_lake",
    "record",
    "scan",
]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class Scan:
    """Iterate over the rows of logs, as `scan` returns them: each iteration reads the logs from the beginning.

    Iterate over it for batches, or pass it to any consumer of Arrow streams: DuckDB, Polars, `pyarrow.table`. An
    iteration that ends early closes the logs. Run one iteration at a time: all share the ledger.
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
    """The hunt, with its title, description, parameters and columns."""
    table: pa.Table
    """A row for each finding, of `hunt.schema`, the most remarkable first."""
    ledger: Ledger | None
    """The ledger of the logs read; None for a lake."""


@dataclass(frozen=True, slots=True)
class Detection:
    """Hold what Sigma rules matched."""

    rules: RuleSet
    """The rules that ran, and the problems of those that did not."""
    table: pa.Table
    """A row for each match, of `procwire.sigma.SCHEMA`, in no particular order."""
    ledger: Ledger | None
    """The ledger of the logs read; None for a lake."""


def scan(
    paths: Paths,
    *,
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    names: Names = "ossem",
    format: Format | None = None,
    recover: bool = False,
    follow: bool = False,
    ledger: Ledger | None = None,
    config: Config | None = None,
    keep: bool = False,
    event: str | int | Event = CONNECTION,
    unpack: UnpackLimits | None = None,
    mapping: LogMapping | str | os.PathLike[str] | None = None,
) -> Scan:
    """Return the network connections of logs, or another of their events, as batches to iterate over.

    Uses constant memory, unless `sort` is given. Each iteration reads the logs again; standard input can be read once.

    paths: files, folders (walked), patterns, `-` for standard input; packed or not.
    columns: the columns to keep, including derived ones; all stored ones if None.
    where: an SQL predicate in DuckDB's dialect, or several, which must all hold.
    sort: columns, each with a leading `-` for descending order.
    since, until: events from then on, and before then; without a zone in UTC.
    names: the vocabulary of columns, where, sort and of the result.
    format: the format of every input, instead of recognising it. recover: also carve EVTX slack space.
    follow: wait for the logs to grow; the batches do not end.
    ledger: filled as the batches are read, final at their end; each iteration resets it.
    config: a Sysmon configuration (a file, one parsed by `procwire.sysmon`, or a `ConfigFilter`): only rows that it
    logs are returned, with its rule names in `rule_name`. keep: return all rows; `logged` says which of them it logs.
    event: number or name of a Sysmon event: 3 (connection), 1 (process-creation) or 22 (dns-query).
    unpack: limits for packed files; what exceeds them counts as damage.
    mapping: a file that says what the keys of an unknown log mean; see docs/formats.md.

    Raises UsageError, before anything is read, for an event, a column, a period or an SQL predicate that cannot be
    used, and ConfigurationError for a configuration with errors. Raises InputError at once if no path leads to a file
    (unless `follow`: then files may appear later), and at the end of the batches if no file could be read.

    >>> import procwire
    >>> ledger = procwire.Ledger()
    >>> rows = procwire.scan("examples/sysmon.evtx", where="dst_port = 443", ledger=ledger)
    >>> sum(batch.num_rows for batch in rows), ledger.events, ledger.damaged
    (29, 153, False)
    >>> rows.read_all().num_rows
    29
    """
    listed = _listed(paths)
    rows = LogRows(
        listed, names=names, columns=columns, where=where, sort=sort, limit=limit, since=since, until=until,
        format=format, recover=recover, follow=follow, ledger=ledger, config=config, keep=keep, event=event,
        unpack=unpack, mapping=mapping, checked=True,
    )  # fmt: skip
    if not follow:
        check_paths(listed)
    return Scan(rows.schema, rows.ledger, rows.batches)


def read(
    paths: Paths,
    *,
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    names: Names = "ossem",
    format: Format | None = None,
    recover: bool = False,
    ledger: Ledger | None = None,
    config: Config | None = None,
    keep: bool = False,
    event: str | int | Event = CONNECTION,
    unpack: UnpackLimits | None = None,
    mapping: LogMapping | str | os.PathLike[str] | None = None,
) -> pa.Table:
    """Read the network connections of logs, or another of their events, into a table. Arguments as for `scan`.

    Raises UsageError as `scan` does, and InputError if no input could be read.

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
        since=since,
        until=until,
        names=names,
        format=format,
        recover=recover,
        ledger=ledger,
        config=config,
        keep=keep,
        event=event,
        unpack=unpack,
        mapping=mapping,
    ).read_all()


def export(
    paths: Paths,
    output: str | os.PathLike[str],
    *,
    to: str | None = None,
    force: bool = False,
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] | None = None,
    sort: Sequence[str] | None = None,
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    names: Names = "ossem",
    format: Format | None = None,
    recover: bool = False,
    ledger: Ledger | None = None,
    config: Config | None = None,
    keep: bool = False,
    event: str | int | Event = CONNECTION,
    unpack: UnpackLimits | None = None,
    mapping: LogMapping | str | os.PathLike[str] | None = None,
) -> Ledger:
    """Write the network connections of logs, or another of their events, to a file; return the ledger of the reading.

    The file appears under its name once it is complete. Uses constant memory, unless `sort` is given.

    output: the file. to: its format, as for `procwire read --to`; None to choose it by the suffix of `output`. force:
    overwrite an existing file. columns: the columns to keep; by default those that the format shows. Other arguments as
    for `scan`.

    Raises UsageError as `scan` does, for an unknown format or suffix, and for an output that exists, that is one of the
    logs or that is in a lake; InputError if no log could be read. No file remains in these cases.

    >>> import procwire, tempfile, pathlib
    >>> rows = pathlib.Path(tempfile.mkdtemp(), "https.csv")
    >>> procwire.export("examples/sysmon.evtx", rows, where="dst_port = 443").events, len(rows.read_text().splitlines())
    (153, 30)
    """
    path, listed = Path(output), _listed(paths)
    way = format_of_path(path) if to is None else canonical(to)
    rows = LogRows(
        listed, way=way, names=names, columns=columns, where=where, sort=sort, limit=limit, since=since, until=until,
        format=format, recover=recover, ledger=ledger, config=config, keep=keep, event=event, unpack=unpack,
        mapping=mapping, checked=True,
    )  # fmt: skip
    check_paths(listed)
    check_files([("output", path)], listed, force=force)
    with OutputFile(path, force=force) as file:
        writing = Export(rows, way, file.stream)
        writing.write()
        writing.close()
        file.commit()
    return rows.ledger


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

    name: name of the hunt. logs: as for `connect`. lake: its folder or URI; without logs and lake, the lake that
    PROCWIRE_LAKE names, else the user's own. since, until: start (included) and end (excluded) of the period, in UTC
    unless they have a zone; a hunt for what is new since then reads everything before `until`. folders: folders with
    your own hunts. unpack, memory_bytes, spill_bytes, timeout_s: limits, as for `connect`. parameters: those of the
    hunt.

    Raises UsageError for a hunt, a parameter or a period that cannot be used, and if there is no lake; LimitError, a
    UsageError, if a limit is exceeded; InputError if no log could be read; LakeError for a damaged lake.

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

    rules: files, or folders with all files below them; or what `procwire.sigma.load` returned. minimum_level: omits
    rules below it. lists: files with the values of placeholders in rules, by the placeholders' names. Other arguments
    as for `hunt`.

    Raises UsageError if no rule can run, and other errors as `hunt` does.

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
    """Read logs into a lake, each event once however often its log is read, and return what was added.

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
    """Read logs into a lake: `run` reads them, and the attributes then say what was added.

    Arguments as for `read_into_lake`; lenient, strict: how the configuration is read and applied. An interrupted
    reading continues where it ended when the same logs are read again. Not safe for use by several threads.
    """

    ledger: Ledger
    """The ledger of the logs read; a log that the lake already has is not read again, and not in the ledger."""
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
        from procwire.sysmon import ConfigFilter, load

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

        follow: wait for the logs to grow, and add new events, until a KeyboardInterrupt. on_progress: called with the
        bytes read so far and the total, None where that is unknown.

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
        """Return an entry for each log that was read, with the numbers of rows added, left out and already stored."""
        return self._ingest.logs

    @property
    def added(self) -> Mapping[str, int]:
        """Return the number of rows added to the lake, by table."""
        return self._ingest.added

    @property
    def already(self) -> Sequence[str]:
        """Return the names of logs that the lake already had, which were not read again."""
        return self._ingest.already

    @property
    def error(self) -> str | None:
        """Return why the lake's own ledger cannot be read or written; None if it can.

        The rows are stored in both cases.
        """
        return self._ingest.error


def _lake_step(where: list[str], rules: ConfigFilter | None, ledger: Ledger) -> Step | None:
    """Return the step that selects the rows to add; None to keep all: then texts can stay dictionaries."""
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


def _listed(paths: Paths) -> Sequence[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def record(
    output: Paths = (),
    *,
    to: str | Sequence[str] = (),
    lake: str | os.PathLike[str] | None = None,
    processes: Sequence[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    lenient: bool = False,
    strict_sysmon: bool = False,
    keep_unlogged: bool = False,
    names: Names = "ossem",
    columns: Sequence[str] | None = None,
    where: str | Sequence[str] = (),
    duration: str | float | None = None,
    count: int | None = None,
    sensor: SensorName = "auto",
    interval: str | float = "1s",
    protocol: ProtocolChoice = "all",
    udp_idle: str | float = "30m",
    attempts: bool = False,
    closes: bool = False,
    existing: bool = False,
    dns_lookup: bool = True,
    user: str | None = None,
    rotate_size: str | int | None = None,
    rotate_every: str | float | None = None,
    keep: int | None = None,
    buffer_mb: int = 16,
    ledger: str | os.PathLike[str] | None = None,
    force: bool = False,
    detect: Paths = (),
    level: Level | None = None,
    lists: Mapping[str, str | os.PathLike[str]] | None = None,
    notify: Callable[[Notice], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RecordingResult:
    """Record the network connections of this Linux machine, and return what became of the recording when it ends.

    It runs in a process of its own, which gives up root once it is set up; this process stays as it is. It ends after
    `duration` (`10s`, or seconds) or `count` rows, when `stop` returns True (it is called several times a second), by
    Ctrl-C in the main thread, and with this process. What was recorded by then is kept.

    The other arguments are the options of `procwire record`, which docs/cli.md describes; without `processes` and
    `config` every process is recorded. Rows go to files, a lake or (to="syslog") the system's log, not to stdout.
    notify: receives what the recording says while it runs; without it that goes to the logger `procwire.recorder`.

    Raises UsageError for arguments that cannot be used, RecordError if this machine cannot be recorded, or the process
    ends without a result, and OSError if an output cannot be written.
    """
    from procwire.recorder.process import record_in_process
    from procwire.recorder.settings import recording_settings

    settings = recording_settings(
        output=_listed(output), to=to, lake=lake, processes=processes, config=config, lenient=lenient,
        strict_sysmon=strict_sysmon, keep_unlogged=keep_unlogged, names=names, columns=columns, where=where,
        duration=duration, count=count, sensor=sensor, interval=interval, protocol=protocol, udp_idle=udp_idle,
        attempts=attempts, closes=closes, existing=existing, dns_lookup=dns_lookup, user=user, rotate_size=rotate_size,
        rotate_every=rotate_every, keep=keep, buffer_mb=buffer_mb, ledger=ledger, force=force, detect=_listed(detect),
        level=level, lists=lists, alert_notices=True,
    )  # fmt: skip
    return record_in_process(settings, notify or _logged, stop)


def _logged(notice: Notice) -> None:
    """Write a notice to Python's log: warnings and alerts as warnings, all else as information."""
    level = logging.WARNING if notice.kind in ("warning", "alert") else logging.INFO
    logging.getLogger("procwire.recorder").log(level, "%s", notice.text)
