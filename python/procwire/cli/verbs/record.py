"""`procwire record`: its options."""

from __future__ import annotations

from procwire.choices import LEVELS, PROTOCOLS, SENSORS
from procwire.cli.parser import Verb, flag, number, option, path
from procwire.cli.verbs.shared import EVENT_COLUMNS, LISTS, NAMES, WHERE
from procwire.sinks.formats import RECORD_FORMATS

__all__ = ["VERB"]

VERB = Verb(
    "record.record",
    """Record the network connections of this Linux machine as they are made (Sysmon's event 3), each with its process.

Rows go to stdout or to files; status and the final summary go to stderr.""",
    [
        flag("--all", parameter="all_", help="Record the connections of every process."),
        option(
            "-n",
            parameter="images",
            bare="",
            metavar="[PROCESS,...]",
            help="Sysmon's own switch: record these processes, by name or path; all of them without a list.",
        ),
        option(
            "--config",
            metavar="FILE",
            type=path,
            help="Record what this Sysmon configuration logs; reloaded when it changes, and at SIGHUP.",
        ),
        flag("--lenient", help="Continue past errors of --config that Sysmon rejects or skips."),
        flag("--strict-sysmon", help="Reproduce Sysmon's bug that names an event after a rule that failed."),
        flag("--keep-unlogged", help="Also keep rows that --config does not log, marked in the column `logged`."),
        option(
            "--to",
            metavar="FORMAT",
            choices=RECORD_FORMATS,
            repeated=True,
            help=f"{', '.join(RECORD_FORMATS[:-1])} or {RECORD_FORMATS[-1]}; once for each output, in their "
            "order. [default: by the suffix of -o; table on a terminal; else ndjson] xml and syslog hold Sysmon's "
            "events: connections, and losses, only. syslog without -o goes to the system's log, lake to --lake.",
        ),
        option(
            "--output",
            "-o",
            metavar="FILE",
            type=path,
            repeated=True,
            help="Write to FILE. May be repeated, once for each --to.",
        ),
        option(
            "--lake",
            metavar="DIR",
            help="Write to the lake in DIR, or at a URI. [default of --to lake: PROCWIRE_LAKE, else the account's own]",
        ),
        NAMES,
        EVENT_COLUMNS,
        WHERE,
        option("--for", parameter="duration", metavar="DURATION", help="Stop after this time: 10s, 5m, 1h."),
        option("--count", metavar="N", type=number(1), help="Stop after N rows."),
        option(
            "--sensor",
            choices=SENSORS,
            default="auto",
            help="ebpf sees everything and needs root; poll checks at intervals: best effort. auto: ebpf "
            "if it is available, else poll.",
        ),
        option("--interval", metavar="DURATION", default="1s", help="How often poll checks."),
        option(
            "--protocol",
            choices=PROTOCOLS,
            default="all",
            help="all: TCP, UDP, and names from DNS. tcp: TCP alone, which costs other programs less.",
        ),
        option(
            "--udp-idle", metavar="DURATION", default="30m", help="Record a UDP flow again after this much silence."
        ),
        flag("--attempts", help="Also record failed TCP connections, with the reason, and refused UDP. (ebpf)"),
        flag("--closes", help="Also record the ends of TCP connections: duration, bytes, packets. (ebpf)"),
        flag("--existing", help="Also record connections that are open at the start."),
        flag("--dns-lookup", default=True, help="Also name hosts by reverse DNS look-ups."),
        option("--user", metavar="NAME", help="Account to switch to after set-up. [default: procwire, else nobody]"),
        option("--rotate-size", metavar="SIZE", help="Begin a new file at this size: 100MB."),
        option("--rotate-every", metavar="DURATION", help="Begin a new file at this interval: 1h."),
        option("--keep", metavar="N", type=number(0), help="Of old files, keep the newest N. [default: all]"),
        option(
            "--buffer-mb",
            metavar="N",
            type=number(1, 1024),
            default=16,
            help="Size of the kernel's buffer, in MiB. (ebpf)",
        ),
        option(
            "--ledger",
            metavar="FILE",
            type=path,
            help="Write to FILE, as JSON, what was captured, filtered, written and lost.",
        ),
        flag("--force", help="Overwrite --ledger if it exists. Files of -o are appended to."),
        option(
            "--detect",
            metavar="PATH",
            type=path,
            repeated=True,
            help="Raise alerts by the Sigma rules in this file or folder, reloaded at SIGHUP. May be repeated.",
        ),
        LISTS,
        option("--level", choices=LEVELS, help="Leave out Sigma rules below this level. [default: none]"),
        flag("--status", help="Show the recorders on this machine, or what it offers for one, and exit."),
    ],
    """\
Examples:
  sudo procwire record --all                       watch, until Ctrl-C
  sudo procwire record --all --for 1h -o connections.parquet --user $USER
  sudo procwire record -n curl,wget --attempts     two programs, and what they failed to reach
  procwire record --all --sensor poll              without root: best effort
  sudo procwire record --config sysmonconfig.xml   what Sysmon's configuration logs
  sudo procwire record --all --to syslog           as Sysmon for Linux does
  sudo procwire record --all --to lake             keep them, to query later
  sudo procwire record --all -o /var/log/procwire/c.ndjson --rotate-size 100MB --keep 10
  sudo procwire record --all --detect rules/       alerts by Sigma rules, among the connections
  sudo procwire record --all --where "dst_port NOT IN (53, 443)" --to ndjson | jq .
  procwire record --status                         running recorders, or what the machine offers

Exit codes:
  0    recorded for the requested time (or the pipe that takes the rows was closed)
  1    could not record; with --status: nothing records
  2    the command line cannot be used, or requests no connections
  3    recorded, but events were lost: the stream and the ledger say how many
  130  ended by Ctrl-C, 143 by SIGTERM: what was recorded is kept
""",
)
