"""One measurement in its own process: writes the costs to stdout as JSON.

python benchmarks/worker.py measure CONTENDER PATH [--one-core]
python benchmarks/worker.py compare CONTENDER PATH
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from contenders import ALL, PROCWIRE, Contender, procwire_counts

_COMPARED_ROWS = 20_000


def _measure(contender: Contender, path: str) -> dict[str, Any]:
    contender.prepare()
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    count = contender.read(path)
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"count": count, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": after.ru_maxrss * 1024 / 1e6}


def _compare(contender: Contender, path: str) -> dict[str, Any]:
    """Return whether the contender's rows equal procwire's, in the columns that the contender has."""
    expected = {row["event_creation_time"]: row for row in itertools.islice(PROCWIRE.rows(path), _COMPARED_ROWS)}
    compared, differing = 0, []
    for row in contender.rows(path):
        ours = expected.get(_canonical("event_creation_time", row["event_creation_time"]))
        if ours is None:
            continue
        compared += 1
        differing += [
            f"{name}: {value!r}, procwire {ours[name]!r}"
            for name, value in row.items()
            if _canonical(name, value) != _canonical(name, ours[name])
        ]
    records, events = procwire_counts(path)
    return {
        "records": records,
        "events": events,
        "compared": compared,
        "missing": len(expected) - compared,
        "differing": differing[:5],
    }


def _canonical(name: str, value: Any) -> Any:
    """Return equal values for equal meanings, for peers that return texts or naive times."""
    if value in (None, "", "-"):
        return None
    if name.endswith("_time"):
        return _time(value)
    if name.endswith("_ip"):
        return ip_address(value)
    if name.endswith("guid"):
        return value.upper()
    return str(value).lower() if isinstance(value, bool) or str(value).lower() in ("true", "false") else str(value)


def _time(value: Any) -> datetime:
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["measure", "compare"])
    parser.add_argument("contender", choices=ALL)
    parser.add_argument("path")
    parser.add_argument("--one-core", action="store_true", help="pin the process, and so its threads, to one core")
    wanted = parser.parse_args()
    if wanted.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    task: Mapping[str, Any] = {"measure": _measure, "compare": _compare}
    json.dump(task[wanted.task](ALL[wanted.contender], wanted.path), sys.stdout)


if __name__ == "__main__":
    main()
