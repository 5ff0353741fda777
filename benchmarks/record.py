"""Measure the costs and losses of `procwire record`, as root.

    python benchmarks/record.py [--quick] [--only NAME]... [--auditd] [--also NAME=COMMAND]... [--out FILE]

benchmarks/README.md says what is measured, and how.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from record_bystanders import bystanders
from record_costs import delay, idle, memory, soak, start
from record_rates import rates
from record_usage import Patience, other_sensors
from record_watchers import Peers, Procwire, recorders, scratch, versions
from record_workloads import Programs
from report import Section, document

NAMES = ("bystanders", "rates", "memory", "start", "idle", "delay", "soak")
# Benchmarks that run only by name.
_ONLY_IF_ASKED = ("soak",)
_SLICE_S = 0.1
_FIRST_NICE = -15


def _benchmarks(programs: Programs, wanted: argparse.Namespace) -> dict[str, Callable[[], Section]]:
    quick, patience = wanted.quick, Patience(wanted.patience)
    peers = Peers() if wanted.no_peers else Peers.here(audit=wanted.auditd)
    rounds, others = 1 if quick else wanted.rounds, recorders(wanted.also)
    return {
        "bystanders": lambda: bystanders(programs, others, peers, rounds, _SLICE_S, patience),
        "rates": lambda: rates(programs, others, peers, wanted.loop, max(rounds // 2, 1), 1 if quick else 2, patience),
        "memory": lambda: memory(programs, others, wanted.loop, 1 if quick else 3),
        "start": lambda: start(others, 1 if quick else 10),
        "idle": lambda: idle(others, 5 if quick else 20, 1 if quick else 3, patience),
        "delay": lambda: delay(5 if quick else 30),
        "soak": lambda: soak(programs, 10 if quick else wanted.soak),
    }


def _sections(wanted: argparse.Namespace) -> Iterator[Section]:
    chosen = wanted.only or [name for name in NAMES if name not in _ONLY_IF_ASKED]
    with scratch() as folder:
        benchmarks = _benchmarks(Programs.build(folder), wanted)
        for name in (name for name in NAMES if name in chosen):
            print(name, "...", file=sys.stderr)
            yield benchmarks[name]()


def _go_first() -> None:
    """Raise the priority above other work on this machine. With autogroups, nice only counts within a session."""
    if os.getpid() != os.getpgrp():
        os.setsid()
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_FIRST_NICE))
    os.nice(_FIRST_NICE - os.nice(0))


def _hooks() -> str:
    """Return what a recorder reports as attached here."""
    with scratch() as folder, Procwire(folder) as recorder:
        return recorder.reported().splitlines()[0]


def _about() -> list[str]:
    return [
        _hooks(),
        f"Beside {', '.join(versions()) or 'nothing: no peer is installed'}",
        f"Other sensors attached at the beginning: {len(other_sensors()) or 'none'}; priority (nice) {os.nice(0)}",
        f"Commands: `{' '.join(['python', *sys.argv])}`; within, `procwire record --all --no-dns-lookup --to ndjson "
        "-o FILE --ledger FILE`",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs: to try the scripts, no figures")
    parser.add_argument("--only", choices=NAMES, action="append", help="not all of them")
    parser.add_argument("--rounds", type=int, default=12, metavar="N", help="pairs of the bystanders (default: 12)")
    parser.add_argument(
        "--loop",
        type=float,
        default=1,
        metavar="SECONDS",
        help="length of a loop of connections (default: 1); longer ones overrun the buffers of others' recorders",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another procwire, in the same rounds: before=/path/to/.venv/bin/procwire; may be repeated",
    )
    parser.add_argument("--first", action="store_true", help="go before other work of a machine that is not quiet")
    parser.add_argument("--no-peers", action="store_true", help="procwire alone")
    parser.add_argument("--auditd", action="store_true", help="also auditd: replaces the audit rules of this machine")
    parser.add_argument(
        "--patience",
        type=float,
        default=300,
        metavar="SECONDS",
        help="wait so long, in all, for other sensors to go (default: 300)",
    )
    parser.add_argument("--soak", type=float, default=180, metavar="SECONDS", help="length of the soak (default: 180)")
    parser.add_argument("--out", type=Path, help="write the results to this Markdown file")
    wanted = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("found no root, expected it: the eBPF sensor needs it")
    if wanted.first:
        _go_first()
    load, about = os.getloadavg()[0], _about()
    sections: list[Section] = []
    for section in _sections(wanted):
        sections.append(section)
        text = document(sections, load, title="Benchmarks of procwire record", about=about)
        if wanted.out:
            # Write after each benchmark: a run takes long, and may be interrupted.
            wanted.out.parent.mkdir(parents=True, exist_ok=True)
            wanted.out.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
