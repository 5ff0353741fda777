"""Measure procwire against its peers and its targets.

    python benchmarks/run.py [--quick] [--only NAME]... [--out FILE]

benchmarks/README.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from process import make_input
from races import RACES, Race, hold
from report import Section, document
from resources import peak_memory, start_up, writers
from scale import DEFAULT_DIRECTORY, DEFAULT_SIZE_MB, Scale

_QUIET_LOAD = 0.5


def _race(race: Race, scale: Scale) -> Section:
    whole = make_input(scale.directory, race.input, scale.size)
    return hold(race, whole, make_input(scale.directory, race.input, scale.slice_size), scale.runs)


def _writers(scale: Scale) -> Section:
    return writers(make_input(scale.directory, "evtx-dense.evtx", scale.size), max(scale.runs - 2, 1))


BENCHMARKS: dict[str, Callable[[Scale], Section]] = {
    **{race.input.partition(".")[0]: partial(_race, race) for race in RACES},
    "memory": lambda scale: peak_memory(scale.directory / "memory", scale.memory_size),
    "start-up": lambda scale: start_up(scale.starts),
    "writers": _writers,
}


def _sections(names: list[str], scale: Scale) -> Iterator[Section]:
    for name in names:
        print(name, "...", file=sys.stderr)
        yield BENCHMARKS[name](scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small inputs, one run: to try the scripts, no figures")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="not all of them")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    parser.add_argument("--size-mb", type=int, default=DEFAULT_SIZE_MB, help="size of inputs (default: %(default)s)")
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIRECTORY, help="of inputs (default: benchmarks/data)")
    wanted = parser.parse_args()
    load = os.getloadavg()[0]
    if load > _QUIET_LOAD and not wanted.quick:
        sys.stderr.write(f"found a load of {load:.2f}, expected a quiet machine: the figures will be off\n")
    scale = Scale.quick(wanted.dir) if wanted.quick else Scale.full(wanted.dir, wanted.size_mb)
    text = document(list(_sections(wanted.only or list(BENCHMARKS), scale)), load)
    print(text, end="")
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
