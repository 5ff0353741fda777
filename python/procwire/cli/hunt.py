"""`procwire hunt`: run queries that are useful in every network, by name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.cli.exits import ExitCode
from procwire.cli.progress import query_progress
from procwire.cli.query_options import OPTION_NAMES, QueryOptions
from procwire.cli.reading import account
from procwire.cli.ways import columns_among, rows_way
from procwire.errors import UsageError
from procwire.signals import Signals
from procwire.targets import check_targets
from procwire.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.hunts import Hunt

__all__ = ["hunt"]


def hunt(
    name: str | None = None,
    describe: bool = False,
    param: list[str] | None = None,
    hunts: list[Path] | None = None,
    to: str | None = None,
    output: Path | None = None,
    force: bool = False,
    columns: str | None = None,
    limit: int | None = None,
    *,
    options: QueryOptions,
) -> ExitCode:
    """Run `procwire hunt`, whose options and help are in `verbs`; return its exit code."""
    from procwire.hunts import find, load, prepare

    known = load(hunts or ())
    if name is None:
        return _print(_listing(known))
    found = find(name, known)
    if describe:
        return _print(_description(found))
    from procwire.cli.output import Output
    from procwire.hunts import in_columns
    from procwire.query import FirstRows, open_source
    from procwire.sinks import open_sink, write_all

    check_targets([("-o", output)], options.logs or (), force=force)
    names = {**OPTION_NAMES, "parameter": "--param"}
    with Signals() as signals, signals.ended():
        # Before anything is read: a typing error must not cost the reading.
        prepared = prepare(found, options.source(), _parameters(param or ()), names=names)
        shown, way = _schema(found, columns), rows_way(to, output)
        with open_source(prepared.source, progress=query_progress, names=names) as source:
            # What reads the logs for DuckDB may have swallowed it.
            signals.check()
            code = ExitCode.ALL_READ if source.ledger is None else account(source.ledger)
            if not source.nothing_read:
                rows = source.ask(partial(prepared.run, source.connection))
                with Output(output, force=force) as out:
                    sink = open_sink(way, out.stream, shown, out.terminal)
                    first = FirstRows(in_columns(rows, shown.names, short=way == "table"), limit)
                    count = write_all(first, sink, signals.held)
                    sink.close()
                    out.commit()
                sys.stderr.write(f"{found.name}: {counted(count, 'row') if count else 'nothing'} found\n")
            return code
    return ExitCode(128 + (signals.received or 0))


def _parameters(texts: Iterable[str]) -> Mapping[str, object]:
    """Return the values of `--param NAME=VALUE`, by name. Raises UsageError for other texts, and for repeated names."""
    given: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"found --param {text!r}, expected NAME=VALUE")
        if name.strip() in given:
            raise UsageError(f"found --param {name.strip()} twice, {given[name.strip()]!r} and {value!r}, expected one")
        given[name.strip()] = value
    return given


def _schema(hunt: Hunt, columns: str | None) -> pa.Schema:
    import pyarrow as pa

    if columns is None:
        return hunt.schema
    return pa.schema([hunt.schema.field(name) for name in columns_among(columns, hunt.schema.names)])


def _print(text: str) -> ExitCode:
    from procwire.plain import plain

    sys.stdout.write("".join(plain(line) + "\n" for line in text.splitlines()))
    return ExitCode.ALL_READ


def _listing(hunts: Sequence[Hunt]) -> str:
    width = max(len(hunt.name) for hunt in hunts)
    lines = [f"{hunt.name:{width}}  {_title(hunt)}" for hunt in hunts]
    return "\n".join([*lines, "", "`procwire hunt NAME --describe` describes one."])


def _title(hunt: Hunt) -> str:
    return hunt.title if hunt.problem is None else f"cannot be used: {hunt.problem}"


def _description(hunt: Hunt) -> str:
    """Return the header of the hunt's file as text."""
    head = hunt.sql.partition("\nWITH ")[0].partition("\nSELECT ")[0]
    return "\n".join(line.removeprefix("--").removeprefix(" ") for line in head.splitlines() if line.startswith("--"))
