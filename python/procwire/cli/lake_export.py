"""`procwire lake export`: what is in the lake, in any format."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.options import (
    EventColumnsOption,
    ForceOption,
    LakeOption,
    Names,
    NamesOption,
    OutputOption,
    QueryOptions,
    SinceOption,
    ToOption,
    UntilOption,
    WhereOption,
)
from procwire.cli.targets import check_targets
from procwire.cli.ways import Way, listed, way_of
from procwire.errors import UsageError
from procwire.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.event import Event
    from procwire.select import Selection

__all__ = ["EXAMPLES", "export"]

Table = Literal["connections", "process_creations", "dns_queries"]

EXAMPLES = """\b
Examples:
  procwire lake export --since 7d -o week.parquet
  procwire lake export --since 2024-03-01 --until 2024-03-02T12:00 --to csv
  procwire lake export --where "process_name LIKE '%powershell.exe'" --sort event_creation_time
"""


@ends_well
def export(
    location: LakeOption = None,
    table: Annotated[Table, typer.Option(help="What to write: the connections, or what gives them context.")] = (
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
    from procwire.sinks import open_sink

    way = way_of(to, output)
    check_targets([("-o", output)], force=force)
    event = event_named(table)
    selection = _selection(event, way, names, listed(columns), where, listed(sort), limit)
    start, end = QueryOptions(None, location, since, until).period()
    lake = Lake.open(location).beside(table)
    batches = lake.batches(start, end) if lake else iter(())
    with Output(output, force=force) as out:
        sink = open_sink(way, out.stream, selection.schema, out.terminal)
        count = 0
        for batch in selection.apply(_events(batches) if way == "xml" and event == CONNECTION else batches):
            sink.write(batch)
            count += batch.num_rows
        sink.close()
        out.commit()
    sys.stderr.write(f"{counted(count, 'row')}\n")
    return ExitCode.ALL_READ


def _selection(
    event: Event,
    way: Way,
    names: Names,
    columns: list[str] | None,
    where: list[str] | None,
    sort: list[str] | None,
    limit: int | None,
) -> Selection:
    from procwire.event import CONNECTION
    from procwire.select import LIVE_GROUPS, STORED_GROUPS, Selection
    from procwire.sinks import AT_A_GLANCE, RECORDING_COLUMNS

    chosen = columns is not None or names != "ossem"
    if way == "xml" and chosen:
        raise UsageError("found --names or --columns, expected neither with xml, which holds whole events")
    if way == "table" and not chosen:
        columns = list(RECORDING_COLUMNS if event == CONNECTION else AT_A_GLANCE[event.name])
    groups = STORED_GROUPS if way == "xml" else (*LIVE_GROUPS, "provenance")
    return Selection(
        names=names,
        columns=columns,
        where=where,
        sort=sort,
        limit=limit,
        groups=groups,
        event=event,
        live=event == CONNECTION,
    )


def _events(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What Sysmon has an event for."""
    from procwire.sinks.kinds import events

    return map(events, batches)
