"""Read the eBPF sensor: what the core captures in the kernel, in the table's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from procwire import _core
from procwire.errors import RecordError
from procwire.sources.kernel import lacking_rights, missing_capabilities
from procwire.sources.live import Hook, completed

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EbpfSource", "LineForm", "Lines", "Names"]

LineForm = _core.LineForm
"""The form of a line, of `sinks.forms`."""


class Lines(NamedTuple):
    """Hold rows that became lines."""

    data: memoryview
    written: int
    """Rows that `data` has."""
    skipped: int
    """Rows that have no form, but a record id."""
    ruled_out: int
    """Rows that rules do not log, of a configuration or by their process."""
    captured: Mapping[str, int]
    """All rows by their record_kind, those beyond the limit included."""
    has_rest: bool
    """Whether some of them are left for the next call."""


class Names(Protocol):
    """Answer the core's questions while it writes lines, at the first sight of a value and several times a second."""

    def user(self, uid: int) -> str | None:
        """Return the name of an account; None without one."""

    def host(self, address: str, is_own: bool) -> tuple[str, str] | None:
        """Return the name of an address and its origin; None without one."""

    def container(self, cgroup: str) -> str | None:
        """Return the container of a control group; None without one."""

    def logs(self, image: str | None) -> bool:
        """Return whether rows of processes that run this image are recorded."""

    def stamp(self) -> str:
        """Return the current prefix of a syslog line."""

    def rules(self, rows: object) -> list[str | None] | None:
        """Return what the rules say of each row, see `recorder.deciding.Decisions`; None without rules."""

    def keeps(self, rows: object) -> bytes | None:
        """Return whether a predicate keeps each row, see `recorder.deciding.Decisions`; None without a predicate."""


class EbpfSource:
    """Capture as a LiveSource over `_core.Sensor`, which is loaded and attached when this is made.

    ring_bytes: size of the kernel's buffer. udp: whether to capture UDP, and names from DNS with it. udp_idle_s: a UDP
    flow is reported again after this many seconds of silence. machine_id, boot_time_ns: as for `guid.linux_guid`.
    Raises RecordError, with the reason, where it cannot load.
    """

    name = "ebpf"
    capabilities = ()

    def __init__(
        self,
        *,
        ring_bytes: int,
        udp: bool,
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
                udp=udp,
                udp_idle_s=udp_idle_s,
                attempts=attempts,
                closes=closes,
                existing=existing,
                boot_time_ns=boot_time_ns,
                machine_id=machine_id,
            )
        except (OSError, RuntimeError) as error:
            # The kernel's error for missing rights names only the first step that failed.
            missing = missing_capabilities()
            raise RecordError(lacking_rights(missing) if missing else str(error)) from error
        self.hooks = tuple(Hook(*hook) for hook in self._sensor.hooks())

    def step(self, timeout_s: float) -> pa.RecordBatch | None:
        """Return what the kernel delivered, after waiting for it at most `timeout_s`; None if nothing."""
        import pyarrow as pa

        batch = self._sensor.step(timeout_s)
        return None if batch is None else completed(pa.record_batch(batch))

    def write_lines(
        self,
        form: LineForm,
        *,
        constants: Mapping[str, str | int],
        ports: Mapping[tuple[int, str], str],
        namespace: int | None,
        connections_only: bool,
        by_image: bool,
        rules: Sequence[str] | None,
        predicate: Sequence[str] | None,
        names_hosts: bool,
        sizes: Mapping[str, int],
        names: Names,
    ) -> None:
        """Write rows as lines from here on, which `lines` returns; `step` returns no more batches.

        constants: columns with one value for all lines. ports: (port, protocol) to name. namespace: inode of the
        recorder's network namespace. connections_only: whether rows of other kinds have no form. by_image: whether to
        call `names` for which processes are recorded. rules, predicate: columns of the rows that `names` gets to decide
        what rules say, and whether rows are kept; None to skip the call. Rules depend on these alone: their answers are
        cached until this is called again. names_hosts: whether hosts and ports have names. sizes: most characters of
        the texts of columns, once rules have seen them.
        """
        self._sensor.write_lines(
            form,
            names,
            constants=dict(constants),
            ports=dict(ports),
            namespace=namespace,
            connections_only=connections_only,
            by_image=by_image,
            rules=None if rules is None else list(rules),
            predicate=None if predicate is None else list(predicate),
            names_hosts=names_hosts,
            sizes=dict(sizes),
        )

    def lines(self, timeout_s: float, first_record_id: int, most: int) -> Lines | None:
        """Return lines of what the kernel delivered, after waiting at most `timeout_s`; None if there are none.

        They are numbered from `first_record_id` on. Rows beyond `most` are counted, but not written as lines. The rest
        is returned at the next call, which does not wait.
        """
        found = self._sensor.lines(timeout_s, first_record_id, most)
        return None if found is None else Lines(*found)

    def losses(self) -> Mapping[str, int]:
        """Return the events lost since the start, by cause."""
        losses: dict[str, int] = self._sensor.losses()
        return losses

    def unattributed(self) -> Mapping[str, int]:
        """Return the rows since the start that lack their process, by attribution."""
        counts: dict[str, int] = self._sensor.unattributed()
        return counts

    def warnings(self) -> Mapping[str, int]:
        """Return how often each other condition occurred in the sensor, such as UDP flows that it had to forget."""
        warnings: dict[str, int] = self._sensor.warnings()
        return warnings

    def close(self) -> None:
        """Detach from the kernel."""
        self._sensor.close()
