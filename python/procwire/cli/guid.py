"""`procwire guid`: what a ProcessGuid holds."""

from __future__ import annotations

import json
import sys
from typing import Literal

from procwire.cli.exits import ExitCode
from procwire.guid import decode_guid

__all__ = ["guid"]

GuidFormat = Literal["text", "json"]

_LUID = "LUID, as Sysmon up to 10.42 writes it"
_START_KEY = (
    "process start key, as Sysmon 11 and later write it on Windows 10 and later "
    "(that it splits into boot and sequence is inferred from samples, not documented)"
)
_LINUX = "Linux: the end of the program's code in memory (mm->end_code), as Sysmon for Linux writes it"
_OWN = "process id and start in ticks of 1/100 s since boot, as procwire records them on Linux"
_UNKNOWN = (
    "not recognised: no LUID, no process start key with a boot, no address of a position-independent Linux program"
)


def guid(
    guids: list[str],
    to: GuidFormat = "text",
) -> ExitCode:
    """Run `procwire guid`, whose options and help are in `verbs`; return its exit code."""
    described = [decode_guid(text).to_dict() for text in guids]
    if to == "json":
        sys.stdout.write(json.dumps(described, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(parts) for parts in described))
    return ExitCode.ALL_READ


def _lines(parts: dict[str, str | int | None]) -> str:
    schemes = {"luid": _LUID, "linux": _LINUX, "start-key": _START_KEY, "procwire": _OWN}
    scheme = schemes.get(str(parts["scheme"]), _UNKNOWN)
    shown = {**parts, "scheme": scheme}
    names = {"process_start_time": "process start", "boot_id": "boot", "luid": "LUID"}
    lines = [str(shown.pop("process_guid"))]
    lines += [f"  {names.get(key, key.replace('_', ' ')):<14} {value}" for key, value in shown.items()]
    return "\n".join(lines) + "\n"
