"""List the output formats in one table, which every verb, recordings and completion use.

A new format is a file beside this one, with the class that writes it, and a line in FORMATS.

Imports little, and no Arrow: a recording of lines does not need it, and the command line lists formats at no cost.
"""

from __future__ import annotations

from procwire.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import PurePath
    from typing import Any, BinaryIO, Literal

    import pyarrow as pa

    from procwire.sinks.protocol import Sink, Terminal

    FileKind = Literal["text", "messages", "parts"]

__all__ = [
    "EXPORT_FORMATS",
    "FORMATS",
    "READ_FORMATS",
    "RECORD_FORMATS",
    "ROW_FORMATS",
    "SINKS",
    "Format",
    "canonical",
    "format_named",
    "format_of_path",
    "open_sink",
    "sink_for_suffix",
]


class Format:
    """Describe an output format, and what each user of formats must know of it.

    name: what `--to` calls it. sink: module in `procwire.sinks` and class that write it to a stream, such as
    "csv.CsvSink"; None where rows go to no stream. suffixes: of its files. aliases: other names of it.

    binary: its bytes are no sight for a terminal, and it has types of its own: lists stay lists.
    whole_events: it holds whole events: columns cannot be chosen or renamed, and there is no place for alerts and for
    rows that a configuration does not log.
    sysmon_events: it holds Sysmon's own events only: connections, and losses as its Error event.
    objects: rows are objects, which can leave out keys without a value and have JSON as values.
    live_only: only a recording writes it.

    recorded: how a recording keeps a file of it: "text" is appended to by whole lines, "messages" by Arrow's messages,
    "parts" become a new file each time; None for no file.
    core_lines: the core can write a recording's lines of it.
    options: more arguments for the class.
    """

    __slots__ = (
        "aliases",
        "binary",
        "core_lines",
        "live_only",
        "name",
        "objects",
        "options",
        "recorded",
        "sink",
        "suffixes",
        "sysmon_events",
        "whole_events",
    )

    def __init__(
        self,
        name: str,
        sink: str | None,
        suffixes: tuple[str, ...] = (),
        *,
        aliases: tuple[str, ...] = (),
        binary: bool = False,
        whole_events: bool = False,
        sysmon_events: bool = False,
        objects: bool = False,
        live_only: bool = False,
        recorded: FileKind | None = None,
        core_lines: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.sink = sink
        self.suffixes = suffixes
        self.aliases = aliases
        self.binary = binary
        self.whole_events = whole_events
        self.sysmon_events = sysmon_events
        self.objects = objects
        self.live_only = live_only
        self.recorded = recorded
        self.core_lines = core_lines
        self.options = options or {}

    @property
    def carries_alerts(self) -> bool:
        """Return whether alerts can be among the rows."""
        return not self.whole_events

    def open(self, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None, **more: Any) -> Sink:
        """Open a sink of it on a stream of bytes, which stays the caller's.

        more: arguments of its class, such as `sparse` and `json` where rows are `objects`. Raises UsageError where a
        binary format would go to a terminal, and where rows go to no stream.
        """
        if self.binary and terminal is not None:
            raise UsageError(f"found a terminal, expected a file or a pipe for {self.name}: use -o FILE or |")
        opened: Sink = self.load()(stream, schema, terminal, **self.options, **more)
        return opened

    def load(self) -> type:
        """Import the class that writes it. Raises UsageError where rows go to no stream."""
        if self.sink is None:
            raise UsageError(f"found the format {self.name}, expected one that a file or a pipe takes")
        from importlib import import_module

        module, _, name = self.sink.partition(".")
        found: type = getattr(import_module(f"procwire.sinks.{module}"), name)
        return found


FORMATS: tuple[Format, ...] = (
    Format("table", "table.TableSink", recorded="text"),
    Format("ndjson", "ndjson.NdjsonSink", (".ndjson", ".json", ".jsonl"), aliases=("json",), objects=True,
           recorded="text", core_lines=True),
    Format("csv", "csv.CsvSink", (".csv",), recorded="text", core_lines=True),
    Format("csv-safe", "csv.CsvSink", options={"safe": True}, recorded="text"),
    Format("parquet", "parquet.ParquetSink", (".parquet",), binary=True, recorded="parts"),
    Format("arrow", "arrow.ArrowSink", (".arrow",), binary=True, recorded="messages"),
    Format("xml", "xml.XmlSink", (".xml",), whole_events=True, sysmon_events=True, recorded="text", core_lines=True),
    Format("syslog", "syslog.SyslogSink", whole_events=True, sysmon_events=True, live_only=True, recorded="text",
           core_lines=True),
    Format("lake", None, whole_events=True),
)  # fmt: skip
"""Every output format. The first that a path's suffix or `--to` names is meant."""

_BY_NAME = {name: each for each in FORMATS for name in (each.name, *each.aliases)}


def _names(*formats: Format) -> tuple[str, ...]:
    return tuple(name for each in formats for name in (each.name, *each.aliases))


_STREAMED = tuple(each for each in FORMATS if each.sink is not None and not each.live_only)
EXPORT_FORMATS = _names(*_STREAMED)
"""What takes a table's rows, events or not, under the names that `--to` accepts."""
ROW_FORMATS = _names(*(each for each in _STREAMED if not each.whole_events))
"""What takes rows that are not events: matches, and results of queries and hunts."""
SINKS = {each.name: each for each in _STREAMED}
"""The formats of EXPORT_FORMATS by name."""
READ_FORMATS = (*EXPORT_FORMATS, "lake")
"""What `procwire read` writes."""
RECORD_FORMATS = _names(*FORMATS)
"""What `procwire record` writes."""


def format_named(name: str) -> Format:
    """Return a format by its name or an alias. Raises UsageError for an unknown name."""
    if name not in _BY_NAME:
        raise UsageError(f"found the format {name!r}, expected one of {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def canonical(name: str) -> str:
    """Return the name of a format of which this may be an alias. Raises UsageError for an unknown name."""
    return format_named(name).name


def sink_for_suffix(suffix: str) -> str | None:
    """Return the name of the format of files with a suffix such as `.csv`; None for an unknown suffix."""
    return next((each.name for each in FORMATS if suffix.lower() in each.suffixes), None)


def format_of_path(path: PurePath) -> str:
    """Return the name of the format that a file's suffix asks for; ndjson for a file without a suffix.

    Raises UsageError for an unknown suffix.
    """
    if not path.suffix:
        return "ndjson"
    name = sink_for_suffix(path.suffix)
    if name is None:
        known = ", ".join(suffix for each in FORMATS for suffix in each.suffixes)
        raise UsageError(f"found the suffix {path.suffix} in -o {path}, expected one of {known}; or say --to FORMAT")
    return name


def open_sink(name: str, stream: BinaryIO, schema: pa.Schema, terminal: Terminal | None = None) -> Sink:
    """Open the sink of the format called `name` on a stream of bytes.

    Raises UsageError for an unknown format, and where a binary one would go to a terminal.
    """
    return format_named(name).open(stream, schema, terminal)
