"""The eBPF sensor: what the core captures in the kernel, in the table's columns."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from procwire import _core
from procwire.errors import RecordError
from procwire.sources.kernel import lacking_rights, missing_capabilities
from procwire.sources.live import Hook, completed

__all__ = ["EbpfSource"]


class EbpfSource:
    """A LiveSource over `_core.Sensor`, which is loaded and attached once this is made.

    ring_bytes: size of the kernel's buffer. udp_idle_s: a UDP flow is told again after so long a silence.
    machine_id, boot_time_ns: as for `guid.linux_guid`. Raises RecordError, with the reason, where it cannot load.
    """

    name = "ebpf"
    capabilities = ()

    def __init__(
        self,
        *,
        ring_bytes: int,
        udp_idle_s: float,
        attempts: bool,
        closes: bool,
        existing: bool,
        boot_time_ns: int,
        machine_id: int,
    ) -> None:
        sensor = getattr(_core, "Sensor", None)
        if sensor is None:
            raise RecordError("this build of procwire has no eBPF sensor")
        try:
            self._sensor = sensor(
                cgroup=None,
                ring_bytes=ring_bytes,
                udp_idle_s=udp_idle_s,
                attempts=attempts,
                closes=closes,
                existing=existing,
                boot_time_ns=boot_time_ns,
                machine_id=machine_id,
            )
        except (OSError, RuntimeError) as error:
            # What the kernel says of a lack of rights names whatever was to be done first.
            missing = missing_capabilities()
            raise RecordError(lacking_rights(missing) if missing else str(error)) from error
        self.hooks = tuple(Hook(*hook) for hook in self._sensor.hooks())

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        """What the kernel has handed over, waiting for it at most `timeout_s`."""
        batch = self._sensor.step(timeout_s)
        return None if batch is None else completed(pa.record_batch(batch))

    def losses(self) -> Mapping[str, int]:
        """Cause to events lost since the start."""
        losses: dict[str, int] = self._sensor.losses()
        return losses

    def unattributed(self) -> Mapping[str, int]:
        """Rows since the start that lack their process, by what they have as attribution."""
        counts: dict[str, int] = self._sensor.unattributed()
        return counts

    def warnings(self) -> Mapping[str, int]:
        """What else the sensor met, and how often: UDP flows that it had to forget, for one."""
        warnings: dict[str, int] = self._sensor.warnings()
        return warnings

    def close(self) -> None:
        """Detach from the kernel."""
        self._sensor.close()
