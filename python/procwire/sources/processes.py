"""Read processes from /proc, each as far as this account may see it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from procwire.guid import linux_guid

__all__ = ["Image", "Process", "holders", "process", "start_ticks"]

_COMMAND_LINE_BYTES = 1_024
_DELETED, _MEMFD = " (deleted)", "/memfd:"
_PARENT, _START_TICKS = 1, 19
"""Fields of /proc/PID/stat after the name, which is in parentheses and may hold any."""


class Image(NamedTuple):
    """Hold the file that a process executes; None for what this account may not see."""

    device: int | None
    inode: int | None
    state: str | None
    """`deleted` or `memfd`; None for an ordinary file."""


class Process(NamedTuple):
    """Hold a process; None for what this account may not see."""

    process_id: int
    start_ticks: int
    guid: str
    name: str | None
    """Path of its executable."""
    user_id: int | None
    """Real uid."""
    effective_user_id: int | None
    command_line: str | None
    parent_id: int
    """0 for the first process, and where the parent is outside of this pid namespace."""
    cgroup_path: str | None
    image: Image
    mount_namespace_id: int | None


def process(process_id: int, machine: int, boot_ns: int) -> Process | None:
    """Return the process of that id; None if it does not exist (any longer)."""
    folder = Path("/proc", str(process_id))
    try:
        stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        start_ticks = int(stat[_START_TICKS])
        link = _executable(folder)
        user_id, effective_user_id = _user_ids(folder)
        return Process(
            process_id,
            start_ticks,
            str(linux_guid(machine, boot_ns, process_id, start_ticks)),
            link.removesuffix(_DELETED) if link else None,
            user_id,
            effective_user_id,
            _command_line(folder),
            int(stat[_PARENT]),
            _cgroup_path(folder),
            _image(folder, link),
            _inode(folder / "ns" / "mnt"),
        )
    except (OSError, IndexError):
        return None


def holders(inodes: Collection[int]) -> dict[int, int]:
    """Map each socket inode to the process that holds it; of several, to the one that started first."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    started: dict[int, int] = {}
    if not wanted:
        return found
    for process_id in _process_ids():
        for inode in {wanted[link] for link in _links(process_id) if link in wanted}:
            start = start_ticks(process_id)
            if start is not None and start < started.get(inode, start + 1):
                found[inode], started[inode] = process_id, start
    return found


def _process_ids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdecimal())


def _links(process_id: int) -> Iterator[str]:
    # Without pathlib: there are thousands.
    folder = f"/proc/{process_id}/fd"
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with suppress(OSError):
                yield os.readlink(f"{folder}/{name}")  # noqa: PTH115


def start_ticks(process_id: int) -> int | None:
    """Return the start of the process, in ticks since boot; None if there is no process of that id."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[_START_TICKS])
    except (OSError, IndexError):
        return None


def _executable(folder: Path) -> str | None:
    """Return the target of the link to it; bytes that are not UTF-8 are U+FFFD."""
    try:
        return os.readlink(bytes(folder / "exe")).decode(errors="replace")  # noqa: PTH115
    except OSError:
        return None


def _image(folder: Path, link: str | None) -> Image:
    state = None
    if link and link.endswith(_DELETED):
        state = "memfd" if link.startswith(_MEMFD) else "deleted"
    try:
        found = (folder / "exe").stat()
    except OSError:
        return Image(None, None, state)
    return Image(found.st_dev, found.st_ino, state)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _user_ids(folder: Path) -> tuple[int | None, int | None]:
    """Return the real and the effective uid; None where unknown."""
    with suppress(OSError):
        for line in (folder / "status").read_bytes().splitlines():
            if line.startswith(b"Uid:"):
                real, effective = line.split()[1:3]
                return int(real), int(effective)
    return None, None


def _command_line(folder: Path) -> str | None:
    try:
        with (folder / "cmdline").open("rb") as file:
            raw = file.read(_COMMAND_LINE_BYTES)
    except OSError:
        return None
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace") or None


def _cgroup_path(folder: Path) -> str | None:
    with suppress(OSError):
        for line in (folder / "cgroup").read_text(errors="replace").splitlines():
            if line.startswith("0::"):
                return line.removeprefix("0::")
    return None
