"""ProcessGuids, the 16 bytes by which Sysmon identifies a process: decodes and creates them.

Little-endian fields: DWORD machine id, DWORD process start (Unix seconds), QWORD key. In a GUID's text the start's
halves are swapped: Data2 holds the low 16 bits, Data3 the high ones. The key identifies the writer: a LUID up to Sysmon
10.42, Windows' process start key from Sysmon 11 on, an address on Sysmon for Linux. procwire's own key holds the
process id and its start to the kernel's clock tick: no two processes of a boot share both, and /proc has the same
values as the kernel, however the process was first seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from procwire.errors import UsageError

__all__ = ["TICKS_PER_S", "ProcessGuid", "Scheme", "decode_guid", "linux_guid"]

_GUID = re.compile(r"\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}?", re.IGNORECASE)
# The low DWORD of a key with a LUID: SysmonCommon's mark; no high part, because Windows counts LUIDs from 0.
_LUID_MARK = 0x10000000
# Where Linux loads position-independent programs: 0x55... and 0x56...
_LINUX_PROGRAMS = range(0x5500_0000_0000, 0x5700_0000_0000)
_BOOT_SHIFT = 48
# procwire's own: a mark (as a start key, a count of 62,000 boots) in 8 bits, the process id in 22 (the kernel's
# PID_MAX_LIMIT), the start in ticks since boot in 34 (5 years).
_OWN_MARK = 0xF2
_OWN_SHIFT, _PID_SHIFT = 56, 34
TICKS_PER_S = 100
"""The kernel's USER_HZ, the unit of a process's start in /proc."""

Scheme = Literal["luid", "start-key", "linux", "procwire"]


@dataclass(frozen=True, slots=True)
class ProcessGuid:
    """Hold a decoded ProcessGuid.

    >>> guid = decode_guid("{A98268C1-957F-5ACD-0000-0010EB030000}")
    >>> f"{guid.machine_id:#x}", guid.process_start_time.isoformat(), guid.luid
    ('0xa98268c1', '2018-04-11T04:56:31+00:00', 1003)
    """

    machine_id: int
    """First DWORD: from the machine's SID on Windows, from /etc/machine-id on Linux."""
    process_start_s: int
    """Start of the process, seconds since 1970, UTC."""
    key: int
    """Last QWORD, little-endian."""

    @property
    def process_start_time(self) -> datetime:
        """Return the start of the process, to the second, UTC."""
        return datetime.fromtimestamp(self.process_start_s, UTC)

    @property
    def scheme(self) -> Scheme | None:
        """Return the scheme of the key, inferred from its value; None if no known scheme fits.

        luid: a logon or token LUID (Sysmon up to 10.42). start-key: Windows' process start key (Sysmon 11 on, Windows
        10 on). linux: the end of the program's code in memory, mm->end_code (Sysmon for Linux), recognised only for
        position-independent programs. procwire: process id and start to the tick (ours).
        """
        if self.key >> _OWN_SHIFT == _OWN_MARK:
            return "procwire"
        if self.key & 0xFFFFFFFF == _LUID_MARK:
            return "luid"
        if self.key in _LINUX_PROGRAMS:
            return "linux"
        return "start-key" if self.key >> _BOOT_SHIFT else None

    @property
    def luid(self) -> int | None:
        """Return the LUID; None if the key holds none."""
        return self.key >> 32 if self.scheme == "luid" else None

    @property
    def boot_id(self) -> int | None:
        """Return the count of boots; None if the key is not a process start key.

        The split into boot and sequence is inferred from samples, not documented.
        """
        return self.key >> _BOOT_SHIFT if self.scheme == "start-key" else None

    @property
    def sequence(self) -> int | None:
        """Return the number of the process within its boot; None if the key is not a process start key."""
        return self.key & ((1 << _BOOT_SHIFT) - 1) if self.scheme == "start-key" else None

    @property
    def process_id(self) -> int | None:
        """Return the process id; None if the key holds none."""
        return self.key >> _PID_SHIFT & 0x3FFFFF if self.scheme == "procwire" else None

    @property
    def start_ticks(self) -> int | None:
        """Return the start of the process in ticks of 1/100 s since boot; None if the key does not hold it."""
        return self.key & (1 << _PID_SHIFT) - 1 if self.scheme == "procwire" else None

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the parts by name, as readable texts: those of every GUID, then those of its scheme."""
        return {
            "process_guid": str(self),
            "machine_id": f"0x{self.machine_id:08X}",
            "process_start_time": f"{self.process_start_time:%Y-%m-%dT%H:%M:%SZ}",
            "key": f"0x{self.key:X}",
            "scheme": self.scheme,
            **self._key_parts(),
        }

    def _key_parts(self) -> dict[str, str | int | None]:
        match self.scheme:
            case "luid":
                return {"luid": f"0x{self.luid:X}"}
            case "start-key":
                return {"boot_id": self.boot_id, "sequence": self.sequence}
            case "procwire":
                return {"process_id": self.process_id, "start_ticks": self.start_ticks}
        return {}

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


def linux_guid(machine_id: int, boot_time_ns: int, process_id: int, start_ticks: int) -> ProcessGuid:
    """Return the GUID that procwire assigns to a process of this machine.

    machine_id: the first 8 digits of /etc/machine-id. boot_time_ns: Unix time of the boot. start_ticks: start of the
    process in ticks since boot, as field 22 of /proc/PID/stat has it.

    >>> guid = linux_guid(0xFFB12C03, 1_767_225_600 * 10**9, 4711, 1234)
    >>> str(guid), guid.scheme, guid.process_id, guid.start_ticks
    ('{FFB12C03-B90C-6955-D204-00009C4900F2}', 'procwire', 4711, 1234)
    """
    start_s = (boot_time_ns + start_ticks * (10**9 // TICKS_PER_S)) // 10**9
    key = _OWN_MARK << _OWN_SHIFT | process_id << _PID_SHIFT | start_ticks & (1 << _PID_SHIFT) - 1
    return ProcessGuid(machine_id, start_s, key)
