"""Anchor ProcessGuids: to the machine, and to the wall time of its boot.

The boot's wall time is realtime less boottime, which moves with every correction of the clock; a ProcessGuid must not.
So the first recorder after a boot stores it, and all later ones read it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from procwire.sources.folders import RUNTIME_FOLDER, check_runtime_folder, make_runtime_folder, runtime_folder

__all__ = ["boot_id", "boot_time_ns", "machine_id"]

_ANCHOR = "boot"
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def boot_id() -> str:
    """Return the kernel's identifier of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def machine_id() -> int:
    """Return the first 8 hexadecimal digits of /etc/machine-id; 0 on a machine without one."""
    for path in _MACHINE_IDS:
        with suppress(OSError, ValueError):
            return int(path.read_text(encoding="ascii")[:8], 16)
    return 0


def boot_time_ns() -> int:
    """Return the Unix time of the boot, the same for every recorder of this boot that can read or write the anchor."""
    boot = boot_id()
    folders = dict.fromkeys((RUNTIME_FOLDER, runtime_folder()))
    for folder in folders:
        anchored = _read(folder / _ANCHOR, boot)
        if anchored is not None:
            return anchored
    now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for folder in folders:
        with suppress(OSError):
            return _write(folder, boot, now_ns)
    return now_ns


def _read(path: Path, boot: str) -> int | None:
    try:
        check_runtime_folder(path.parent)
        found, time_ns = path.read_text(encoding="ascii").split()
        return int(time_ns) if found == boot else None
    except (OSError, ValueError):
        return None


def _write(folder: Path, boot: str, time_ns: int) -> int:
    make_runtime_folder(folder)
    part = folder / f".{_ANCHOR}.{os.getpid()}"
    part.write_text(f"{boot} {time_ns}\n", encoding="ascii")
    part.chmod(0o644)
    part.replace(folder / _ANCHOR)
    return time_ns
