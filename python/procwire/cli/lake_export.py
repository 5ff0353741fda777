"""`procwire lake export`: what is in the lake, in any format."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from procwire.choices import EventTable
from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import (
    EventColumnsOption,
    ForceOption,
    LakeOption,
    NamesOption,
    OutputOption,
    QueryOptions,
    SinceOption,
    ToOption,
    UntilOption,
    WhereOption,
)
from procwire.cli.targets import check_targets
from procwire.cli.ways import listed, way_of
from procwire.sinks.formats import format_named
from procwire.words import counted

__all__ = ["EXAMPLES", "export"]

EXAMPLES = """\b
Examples:
  procwire lake export --since 7d -o week.parquet
  procwire lake export --since 2024-03-01 --until 2024-03-02T12:00 --to csv
  procwire lake export --where "process_name LIKE '%powershell.exe'" --sort event_creation_time
"""


@ends_well
def export(
    location: LakeOption = None,
    table: Annotated[EventTable, typer.Option(help="What to write: the connections, or what gives them context.")] = (
        "connections"
    ),
    since: SinceOption = None,
    until: UntilOption = None,
    to: ToOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    names: NamesOption = "ossem",
    columns: EventColumnsOption = None,
    where: WhereOption = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN,...", help="Sort; -COLUMN is descending.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after N rows.")] = None,
) -> ExitCode:
    """Write what the lake holds, all of it or a range of time, in any format. Days come in order."""
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
