"""Check what recording needs from this machine."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

__all__ = ["cgroup2_folder", "has_btf", "lacking_rights", "missing_capabilities"]

_CAPABILITIES = {"CAP_BPF": 39, "CAP_PERFMON": 38, "CAP_NET_ADMIN": 12}
_BTF = Path("/sys/kernel/btf/vmlinux")


def lacking_rights(missing: Collection[str]) -> str:
    """Return what is missing, and what to do, in a line; `missing` are capabilities by name, at least one."""
    return f"lacks {', '.join(missing)}; run it as root, or with {', '.join(_CAPABILITIES)}"


def missing_capabilities() -> list[str]:
    """Return the names of the capabilities for loading and attaching that this thread lacks."""
    for line in Path("/proc/thread-self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
            return [name for name, number in _CAPABILITIES.items() if not effective >> number & 1]
    return list(_CAPABILITIES)


def has_btf() -> bool:
    """Return whether the kernel publishes its types (BTF)."""
    return _BTF.exists()


def cgroup2_folder() -> Path | None:
    """Return where cgroup version 2 is mounted; None if it is not."""
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, folder, kind, *_ = line.split()
            if kind == "cgroup2":
                return Path(folder.encode().decode("unicode_escape"))
    return None
