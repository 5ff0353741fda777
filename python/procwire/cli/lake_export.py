"""`procwire lake export`: write the lake's rows in any format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.query_options import period
from procwire.cli.ways import listed, way_of
from procwire.targets import check_targets
from procwire.words import counted

if TYPE_CHECKING:
    from procwire.choices import EventTable, Names

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
    from procwire.pipeline import Export, LakeRows

    way = way_of(to, output)
    check_targets([("-o", output)], force=force)
    start, end = period(since, until)
    rows = LakeRows(
        location, way=way, table=table, names=names, columns=listed(columns), where=where, sort=listed(sort),
        limit=limit, since=start, until=end,
    )  # fmt: skip
    with Output(output, force=force) as out:
        export = Export(rows, way, out.stream, out.terminal)
        count = export.write()
        export.close()
        out.commit()
    sys.stderr.write(f"{counted(count, 'row')}\n")
    return ExitCode.ALL_READ
