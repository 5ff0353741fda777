"""Fill container_id: which container a process runs in, according to its control group's path."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ContainerIds", "container_id"]

_DIGEST = "[0-9a-f]{64}"
_PATTERNS = (
    # Engines that drive cgroupfs name the group by the id, those that drive systemd `docker-ID.scope`,
    # `cri-containerd-ID.scope`; cri-o and podman put their name before it either way. conmon watches from outside.
    re.compile(rf"(?:[a-z][a-z0-9_.]*-)*(?<!conmon-)({_DIGEST})(?:\.scope)?"),
    # A name for systemd, `SLICE:cri-containerd:ID`, where the engine takes it for a path.
    re.compile(rf"[^:]*:[a-z-]+:({_DIGEST})"),
    # ECS on Fargate: the task's id, and a number for the container.
    re.compile(r"([0-9a-f]{32}-[0-9]{8,12})"),
    # LXC and LXD from 4.0 on.
    re.compile(r"lxc\.payload\.(.+)"),
    # systemd-nspawn as a service; and as systemd-machined has it, or libvirt for LXC, but not for virtual machines.
    re.compile(r"systemd-nspawn@(.+)\.service"),
    re.compile(r"machine-(?!qemu)(?:lxc\\x2d[0-9]+\\x2d)?(.+)\.scope"),
)
_NAMED_BY_NEXT = ("lxc", "lxc.payload")
# systemd-nspawn itself, which runs outside of the container, in a group below the container's.
_OUTSIDE = "supervisor"
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_PATHS_KEPT = 16_384


class ContainerIds:
    """Fill container_id from cgroup_path; null outside of a container."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with container_id filled."""
        import pyarrow as pa

        from procwire.enrich.columns import Distinct, column, replaced

        paths = Distinct(column(batch, "cgroup_path"))
        ids = [None if path is None else container_id(path) for path in cast("list[str | None]", paths.values)]
        return replaced(batch, "container_id", paths.spread(ids, pa.string()))


@lru_cache(_PATHS_KEPT)
def container_id(path: str) -> str | None:
    """Return the innermost container of a control group's path: its id of 64 digits, or its name; None outside of one.

    >>> container_id("/system.slice/sshd.service")
    >>> container_id("/lxc.payload.web/system.slice/nginx.service")
    'web'
    """
    parts = path.split("/")
    for index in reversed(range(len(parts))):
        if parts[index - 1] in _NAMED_BY_NEXT and index > 0:
            return parts[index]
        for pattern in _PATTERNS:
            if (match := pattern.fullmatch(parts[index])) and parts[index + 1 : index + 2] != [_OUTSIDE]:
                return _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), match[1])
    return None
