"""`procwire read`: its options."""

from __future__ import annotations

from procwire.choices import INPUT_FORMATS
from procwire.cli.parser import Verb, argument, flag, number, option, path
from procwire.cli.verbs.shared import EVENT_COLUMNS, FORCE, NAMES, OUTPUT, SINCE, UNPACK, UNTIL, WHERE
from procwire.sinks.formats import READ_FORMATS

__all__ = ["VERB"]

VERB = Verb(
    "read.read",
    """Read network connections (Sysmon's event 3) from logs of any kind, as one typed table.

Rows go to stdout or to a file; progress and the summary go to stderr.""",
    [
        argument(
            "paths",
            metavar="PATH",
            count="+",
            help="Logs: files, folders (with all below), patterns; gzip, zstd, zip and tar are unpacked; - is stdin. "
            "The format is recognised by content.",
        ),
        option(
            "--to",
            choices=READ_FORMATS,
            help="Format of the result. [default: by the suffix of -o; table on a terminal; else ndjson]",
        ),
        OUTPUT,
        FORCE,
        NAMES,
        EVENT_COLUMNS,
        WHERE,
        option("--limit", metavar="N", type=number(1), help="Stop after N rows."),
        option("--sort", metavar="COLUMN,...", help="Sort by these columns; -COLUMN is descending. Reads all first."),
        SINCE,
        UNTIL,
        flag("--follow", help="Wait for more as the log grows, until Ctrl-C."),
        flag("--recover", help="Also carve records from slack space and broken chunks of EVTX files."),
        option(
            "--from",
            parameter="source_format",
            choices=INPUT_FORMATS,
            help="Format of the logs, instead of recognising it by content.",
        ),
        option(
            "--ledger",
            metavar="FILE",
            type=path,
            help="Write to FILE, as JSON, what was read, skipped and damaged, and where.",
        ),
        option(
            "--config",
            metavar="FILE",
            type=path,
            help="Sysmon's configuration: keep what it would have logged, with its rules' names.",
        ),
        flag(
            "--keep", "--keep-unlogged", parameter="keep", help="With --config: keep all rows, marked in column logged."
        ),
        flag("--lenient", help="With --config: continue past errors that Sysmon rejects or skips."),
        flag("--strict-sysmon", help="With --config: reproduce Sysmon's bug of stale rule names."),
        option(
            "--lake",
            metavar="DIR",
            help="Add to the lake in DIR, or at a URI; each log once. [default of --to lake: PROCWIRE_LAKE, else the "
            "user's own]",
        ),
        option(
            "--event",
            metavar="EVENT,...",
            help="Read these events instead of connections: process-creation (or 1), dns-query (or 22), or connections "
            "of other providers: audit-connection, audit-block, defender-connection, defender-attempt. "
            "[default: connection (or 3)]",
        ),
        option(
            "--map",
            parameter="map_",
            metavar="FILE",
            type=path,
            help="What the keys of an unknown log of JSON or CSV mean: a TOML file, as `procwire map propose` writes.",
        ),
        UNPACK,
    ],
    """\
Examples:
  procwire read Sysmon.evtx                        a table of the connections
  procwire read logs/ -o connections.parquet       every log of a folder, packed ones too
  procwire read '*.evtx.gz' --to csv-safe | head   the first rows as CSV for reading
  zcat big.json.gz | procwire read - --limit 10    from a pipe
  procwire read Sysmon.evtx --follow               continue as the log grows, until Ctrl-C
  procwire read Sysmon.evtx --recover --ledger what-was-read.json
  procwire read logs/ --config sysmonconfig.xml    what this configuration would have logged
  procwire read logs/ --to lake                    store each event once, to query them later
  procwire read logs/ --event process-creation     the processes that were created, with their command lines

  procwire read logs/ --columns event_creation_time,process_name,dst_ip,dst_port \\
    --where "network_protocol = 'tcp' AND dst_port NOT IN (80, 443)" --sort=-event_creation_time

Exit codes:
  0    everything was read (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used
  3    read with damage: what was readable is written, the ledger lists the rest
  130  ended by Ctrl-C, 143 by SIGTERM: what was done is kept
""",
)
