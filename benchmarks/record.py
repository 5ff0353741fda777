"""Measure what `procwire record` costs, and what it loses. As root, on a quiet machine.

    python benchmarks/record.py [--quick] [--only NAME]... [--soak SECONDS] [--out FILE]

benchmarks/README.md tells what is measured, and how.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from record_costs import delay, idle, kernel_time, soak
from record_load import LoadProgram
from record_rates import rates
from record_usage import other_sensors
from record_watchers import Bpftrace, scratch
from report import Section, document

_QUIET_LOAD = 0.5
NAMES = ("rates", "kernel", "delay", "idle", "soak")


def _benchmarks(program: LoadProgram, wanted: argparse.Namespace) -> dict[str, Callable[[], Section]]:
    quick = wanted.quick
    return {
        "rates": lambda: rates(program, 1, 1, 1) if quick else rates(program, 3, 5, 2),
        "kernel": lambda: kernel_time(program, 1 if quick else 5),
        "delay": lambda: delay(5 if quick else 30),
        "idle": lambda: idle(5 if quick else 60),
        "soak": lambda: soak(program, 10 if quick else wanted.soak),
    }


def _sections(wanted: argparse.Namespace) -> Iterator[Section]:
    with scratch() as folder:
        benchmarks = _benchmarks(LoadProgram.build(folder), wanted)
        for name in (name for name in NAMES if not wanted.only or name in wanted.only):
            print(name, "...", file=sys.stderr)
            yield benchmarks[name]()


def _about() -> list[str]:
    others = other_sensors()
    return [
        f"Beside {Bpftrace.version() or 'nothing: bpftrace is not installed'}",
        f"Other sensors attached meanwhile: {len(others) or 'none'}",
        "Commands: `procwire record --all --no-dns-lookup --to ndjson -o FILE`; `bpftrace -o FILE connections.bt`",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs: to try the scripts, no figures")
    parser.add_argument("--only", choices=NAMES, action="append", help="not all of them")
    parser.add_argument("--soak", type=float, default=180, metavar="SECONDS", help="length of the soak (default: 180)")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    wanted = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("found no root, expected it: the eBPF sensor needs it")
    load, about = os.getloadavg()[0], _about()
    if (load > _QUIET_LOAD or other_sensors()) and not wanted.quick:
        sys.stderr.write(f"found a load of {load:.2f}, {about[1]}, expected a quiet machine: figures will be off\n")
    text = document(list(_sections(wanted)), load, title="Benchmarks of procwire record", about=about)
    print(text, end="")
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
