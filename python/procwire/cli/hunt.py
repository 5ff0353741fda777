"""`procwire hunt`: questions worth asking of every network, asked by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from procwire.cli.exits import ExitCode, ends_well
from procwire.cli.hunting import Request, run
from procwire.cli.sought import (
    EngineOption,
    LakeOption,
    MasterOption,
    MemoryOption,
    SinceOption,
    Sought,
    SpillOption,
    TimeoutOption,
    UntilOption,
)
from procwire.cli.targets import check_targets
from procwire.cli.unpacking import UnpackOption
from procwire.cli.ways import ForceOption, OutputOption, RowsToOption

if TYPE_CHECKING:
    from procwire.hunts import Hunt

__all__ = ["EXAMPLES", "hunt"]

EXAMPLES = """\b
Examples:
  procwire hunt                                      what there is to hunt for
  procwire hunt beacons --describe                   what a hunt does, takes and gives
  procwire hunt beacons --files logs/                over every log of a folder
  procwire hunt beacons --since 7d                   over the lake, the last week of it
  procwire hunt fan_out --param min_hosts=50 -o sweeps.csv
  procwire hunt process_profile --param process=powershell.exe --to csv
  procwire hunt beacons --engine spark --master spark://head:7077
  procwire hunt mine --hunts ~/hunts                 one of your own

\b
Exit codes:
  0    hunted, whether anything was found or not (or the pipe that takes the rows was closed)
  1    nothing could be read, or the results could not be written
  2    the command line cannot be used
  3    hunted over logs with damage: over what was readable
  130  ended by Ctrl-C, 143 by SIGTERM
"""


@ends_well
def hunt(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The hunt; without one, all are listed.", show_default=False)
    ] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Tell what the hunt does, takes and gives.")] = False,
    files: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Hunt in logs instead of the lake, or in Parquet files; repeatable."),
    ] = None,
    lake: LakeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter. May be repeated.")
    ] = None,
    hunts: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder with hunts of your own. May be repeated.", envvar="PROCWIRE_HUNTS"),
    ] = None,
    to: RowsToOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    columns: Annotated[str | None, typer.Option(metavar="A,B,...", help="These columns of the result.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The first N rows.")] = None,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    memory: MemoryOption = None,
    spill: SpillOption = None,
    timeout: TimeoutOption = "1h",
    unpack: UnpackOption = None,
) -> ExitCode:
    """Hunt: ask a question that is worth asking of every network, such as who calls home at regular intervals.

    Hunts in the lake, or in logs named with --files. Rows go to stdout or to a file, the most remarkable first.
    """
    from procwire.hunts import find, load

    known = load(hunts or ())
    if name is None:
        return _print(_listing(known))
    found = find(name, known)
    if describe:
        return _print(_description(found))
    check_targets([("-o", output)], files or (), force=force)
    sought = Sought(files, lake, since, until, engine, master, memory, spill, timeout, unpack)
    return run(found, Request(sought, param or [], to, output, columns, limit, force))


def _print(text: str) -> ExitCode:
    from procwire.sinks.plain import plain

    sys.stdout.write("".join(plain(line) + "\n" for line in text.splitlines()))
    return ExitCode.ALL_READ


def _listing(hunts: Sequence[Hunt]) -> str:
    width = max(len(hunt.name) for hunt in hunts)
    lines = [f"{hunt.name:{width}}  {_title(hunt)}" for hunt in hunts]
    return "\n".join([*lines, "", "`procwire hunt NAME --describe` describes one."])


def _title(hunt: Hunt) -> str:
    return hunt.title if hunt.problem is None else f"cannot be used: {hunt.problem}"


def _description(hunt: Hunt) -> str:
    """The file's own header, which people wrote to be read."""
    head = hunt.sql.partition("\nWITH ")[0].partition("\nSELECT ")[0]
    return "\n".join(line.removeprefix("--").removeprefix(" ") for line in head.splitlines() if line.startswith("--"))
