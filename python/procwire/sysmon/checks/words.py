"""Name filters and lines in findings."""

from __future__ import annotations

from collections.abc import Iterable

from procwire.sysmon.findings import one_line, quoted
from procwire.sysmon.model import Element, Filter, Rule

__all__ = ["lines", "named", "one_line", "quoted", "shown"]


def shown(filter_: Filter) -> str:
    """Return a filter as text: `DestinationPort is '443'`."""
    return f"{filter_.field} {filter_.condition} {quoted(filter_.value)}"


def named(thing: Filter | Rule | Element) -> str:
    """Return a filter as `shown`, `a <Rule>`, or `<NetworkConnect onmatch="include">`."""
    if isinstance(thing, Filter):
        return shown(thing)
    return "a <Rule>" if isinstance(thing, Rule) else f'<{thing.event} onmatch="{thing.onmatch}">'


def lines(numbers: Iterable[int]) -> str:
    """Return line numbers as text: `line 5`, or `lines 5, 7-9`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"line{'s' if len(runs) > 1 or len(runs[0]) > 1 else ''} {', '.join(parts)}"
