"""Print what records on this machine, or what could: `procwire record --status`."""

from __future__ import annotations

import json
import sys
from typing import Any

from procwire.cli.exits import ExitCode

__all__ = ["print_status"]


def print_status(*, as_json: bool) -> ExitCode:
    """Print the state of each recorder, as text or as JSON; if there is none, what this machine has for one."""
    from procwire.plain import plain
    from procwire.recorder.status import running_recorders

    states = list(running_recorders())
    if as_json:
        text = "".join(json.dumps(state) + "\n" for state in states)
    else:
        text = plain("\n".join(map(_lines, states)) or _prospects()) + "\n"
    sys.stdout.write(text)
    return ExitCode.RECORDED if states else ExitCode.NOT_RECORDED


def _lines(state: dict[str, Any]) -> str:
    try:
        return _described(state)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A recorder of another version, or nobody's: what it says may have any shape.
        return f"process {state['process_id']} records; its state cannot be shown: {type(error).__name__}: {error}"


def _described(state: dict[str, Any]) -> str:
    hooks = state["hooks"]
    lines = [
        f"process {state['process_id']} records by {state['sensor']} since {state['start_time']}",
        f"  hooks:     {', '.join(hook['name'] for hook in hooks if hook['attached']) or 'none'}",
        *(f"  not:       {hook['name']}: {hook['reason']}" for hook in hooks if not hook["attached"]),
        f"  captured:  {sum(state['captured'].values()):,}",
        *_rules(state),
        f"  filtered:  {state['filtered']:,}{_by_rules(state)}",
        *(
            f"  written:   {one['written']:,} to {one['name']} ({one['format']}){_lost(one)}"
            for one in state["outputs"]
        ),
        *_undecided(state),
        f"  lost:      {'; '.join(f'{n:,} × {cause}' for cause, n in state['lost'].items()) or 'none'}",
        *(f"  nameless:  {count:,} × {reason}" for reason, count in state.get("unattributed", {}).items()),
        *(f"  warning:   {count:,} × {kind}" for kind, count in state.get("warnings", {}).items()),
    ]
    if state["fallback_reason"] is not None:
        lines.insert(1, f"  no eBPF:   {state['fallback_reason']}")
    return "\n".join(lines)


def _rules(state: dict[str, Any]) -> list[str]:
    from procwire.recorder import ConfigurationLedger

    configuration = state.get("configuration")
    return [f"  rules:     {ConfigurationLedger(**configuration)}"] if configuration else []


def _by_rules(state: dict[str, Any]) -> str:
    by_rules = state.get("filtered_by_rules", 0)
    return f", {by_rules:,} of them by rules" if by_rules else ""


def _undecided(state: dict[str, Any]) -> list[str]:
    # An older recording's state lacks it.
    rows = state.get("undecided", 0)
    return [f"  undecided: {rows:,}, kept"] if rows else []


def _lost(output: dict[str, Any]) -> str:
    return f", {output['lost']:,} rows lost" if output["lost"] else ""


def _prospects() -> str:
    from procwire.recorder.status import prospects
    from procwire.sources.kernel import lacking_rights

    found = prospects()
    missing = found.missing_capabilities
    return "\n".join(
        [
            "nothing records on this machine; the eBPF sensor needs:",
            f"  Linux 5.15 or later:    {found.kernel_release}",
            f"  privileges:             {f'no: {lacking_rights(missing)}' if missing else 'yes'}",
            f"  the kernel's types:     {'yes' if found.has_btf else 'no: there is no /sys/kernel/btf/vmlinux'}",
            f"  control groups, v2:     {found.cgroup_folder or 'no: cgroup2 is not mounted'}",
            "the poll sensor needs nothing, and sees less: procwire record --all --sensor poll",
        ]
    )
