"""`procwire lake export`: what is in the lake, in any format."""

from __future__ import annotations

import sys
from pathlib import Path

from procwire.choices import EventTable, Names
from procwire.cli.exits import ExitCode
from procwire.cli.query_options import QueryOptions
from procwire.cli.ways import listed, way_of
from procwire.sinks.formats import format_named
from procwire.targets import check_targets
from procwire.words import counted

__all__ = ["export"]


def export(
    location: str | None = None,
    table: EventTable = ("connections"),
    since: str | None = None,
    until: str | None = None,
    to: str | None = None,
    output: Path | None = None,
    force: bool = False,
    names: Names = "ossem",
    columns: str | None = None,
    where: list[str] | None = None,
    sort: str | None = None,
    limit: int | None = None,
) -> ExitCode:
    """Run `procwire lake export`, whose options and help are in `verbs`; return its exit code."""
    from procwire.cli.output import Output
    from procwire.event import CONNECTION, event_named
    from procwire.lake import Lake
    from procwire.select import selection_for
    from procwire.sinks import open_sink
    from procwire.sinks.kinds import events

    way = way_of(to, output)
    check_targets([("-o", output)], force=force)
    event = event_named(table)
    selection = selection_for(
        way, names=names, columns=listed(columns), where=where, sort=listed(sort), limit=limit, event=event, stored=True
    )
    start, end = QueryOptions(None, location, since, until).period()
    lake = Lake.open(location).beside(table)
    batches = lake.batches(start, end) if lake else iter(())
    if format_named(way).sysmon_events and event == CONNECTION:
        # Others are no events of Sysmon's.
        batches = map(events, batches)
    with Output(output, force=force) as out:
        sink = open_sink(way, out.stream, selection.schema, out.terminal)
        count = 0
        for batch in selection.apply(batches):
            sink.write(batch)
            count += batch.num_rows
        sink.close()
        out.commit()
    sys.stderr.write(f"{counted(count, 'row')}\n")
    return ExitCode.ALL_READ
