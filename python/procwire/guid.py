"""ProcessGuid: what Sysmon packs into the 16 bytes that name a process.

Little-endian fields: DWORD machine id, DWORD process start (Unix seconds), QWORD key. Written as a GUID
the start's halves stand swapped: Data2 holds the low 16 bits, Data3 the high ones. The key tells the
writer apart: a LUID up to Sysmon 10.42, Windows' process start key from Sysmon 11 on, an address on Linux.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from procwire.errors import UsageError

__all__ = ["ProcessGuid", "Scheme", "decode_guid"]

_GUID = re.compile(r"\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?", re.IGNORECASE)
# The low DWORD of a LUID's key: SysmonCommon's mark, and no high part, for Windows counts LUIDs from 0.
_LUID_MARK = 0x10000000
# Where Linux loads position-independent programs: 0x55... and 0x56...
_LINUX_PROGRAMS = range(0x5500_0000_0000, 0x5700_0000_0000)
_BOOT_SHIFT = 48

Scheme = Literal["luid", "start-key", "linux"]


@dataclass(frozen=True, slots=True)
class ProcessGuid:
    """A decoded ProcessGuid.

    >>> guid = decode_guid("{A98268C1-957F-5ACD-0000-0010EB030000}")
    >>> f"{guid.machine_id:#x}", guid.process_start_time.isoformat(), guid.luid
    ('0xa98268c1', '2018-04-11T04:56:31+00:00', 1003)
    """

    machine_id: int
    """First DWORD: of the machine's SID on Windows, of /etc/machine-id on Linux."""
    process_start_s: int
    """Start of the process, seconds since 1970, UTC."""
    key: int
    """Last QWORD, little-endian."""

    @property
    def process_start_time(self) -> datetime:
        """Start of the process, to the second, UTC."""
        return datetime.fromtimestamp(self.process_start_s, UTC)

    @property
    def scheme(self) -> Scheme | None:
        """What the key looks like; a GUID does not name its writer. None if like nothing that is known.

        luid: a logon or token LUID (Sysmon up to 10.42). start-key: Windows' process start key (Sysmon 11 on,
        Windows 10 on). linux: the end of the program's code in memory, mm->end_code (Sysmon for Linux), told
        only for position-independent programs.
        """
        if self.key & 0xFFFFFFFF == _LUID_MARK:
            return "luid"
        if self.key in _LINUX_PROGRAMS:
            return "linux"
        return "start-key" if self.key >> _BOOT_SHIFT else None

    @property
    def luid(self) -> int | None:
        """The LUID, where the key holds one."""
        return self.key >> 32 if self.scheme == "luid" else None

    @property
    def boot_id(self) -> int | None:
        """Count of boots, where the key is a process start key.

        The split into boot and sequence is inferred from samples, not documented.
        """
        return self.key >> _BOOT_SHIFT if self.scheme == "start-key" else None

    @property
    def sequence(self) -> int | None:
        """Number of the process within its boot, where the key is a process start key."""
        return self.key & ((1 << _BOOT_SHIFT) - 1) if self.scheme == "start-key" else None

    def __str__(self) -> str:
        start = f"{self.process_start_s:08X}"
        key = self.key.to_bytes(8, "little").hex().upper()
        return f"{{{self.machine_id:08X}-{start[4:]}-{start[:4]}-{key[:4]}-{key[4:]}}}"


def decode_guid(text: str) -> ProcessGuid:
    """Decode a ProcessGuid, with or without braces, in either case.

    Raises UsageError if `text` is not a GUID.
    """
    match = _GUID.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"found {text!r}, expected a GUID such as {{A98268C1-957F-5ACD-0000-0010EB030000}}")
    machine, start_low, start_high, key_head, key_tail = match.groups()
    return ProcessGuid(
        machine_id=int(machine, 16),
        process_start_s=int(start_high + start_low, 16),
        key=int.from_bytes(bytes.fromhex(key_head + key_tail), "little"),
    )
