"""Open the source of a recording: the eBPF sensor, else the poll sensor; and say what it sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from procwire.errors import RecordError
from procwire.recorder.ledger import RecordingLedger
from procwire.recorder.notices import Notice

if TYPE_CHECKING:
    import pwd

    from procwire.recorder.settings import RecordingSettings
    from procwire.sources.live import LiveSource

__all__ = ["announcement", "open_source"]


def open_source(settings: RecordingSettings) -> tuple[LiveSource, RecordingLedger]:
    """Open the sensor that the settings ask for; return it and the ledger of its recording.

    Raises RecordError if it cannot be opened; with `auto` it is then the poll sensor, and the ledger has the reason.
    """
    from procwire.sources.boot import boot_time_ns, machine_id
    from procwire.sources.sensor import EbpfSource

    source: LiveSource
    reason = None
    boot_ns, machine = boot_time_ns(), machine_id()
    if settings.sensor != "poll":
        try:
            source = EbpfSource(
                ring_bytes=settings.ring_bytes,
                udp=settings.protocol == "all",
                udp_idle_s=settings.udp_idle_s,
                attempts=settings.attempts,
                closes=settings.closes,
                existing=settings.existing,
                boot_time_ns=boot_ns,
                machine_id=machine,
            )
            return source, RecordingLedger(source.name, hooks=source.hooks)
        except RecordError as error:
            reason = str(error)
            if settings.sensor == "ebpf":
                raise RecordError(f"cannot record by eBPF: {reason}") from error
    from procwire.sources.poll import PollSource

    source = PollSource(
        interval_s=settings.interval_s,
        existing=settings.existing,
        udp=settings.protocol == "all",
        machine_id=machine,
        boot_time_ns=boot_ns,
    )
    return source, RecordingLedger(source.name, reason, source.hooks)


def announcement(
    ledger: RecordingLedger, settings: RecordingSettings, account: pwd.struct_passwd | None
) -> list[Notice]:
    """Return what records, on which hooks; and what of it is not as one might expect."""
    notices = []
    if ledger.fallback_reason is not None:
        notices.append(Notice("warning", f"no eBPF sensor: {ledger.fallback_reason}"))
    attached = ", ".join(hook.name for hook in ledger.hooks if hook.attached)
    missing = "".join(f"; not {hook.name} ({hook.reason})" for hook in ledger.hooks if not hook.attached)
    kind = "" if ledger.sensor == "ebpf" else f", best effort: a look every {settings.interval_s:g} s, between which "
    kind += "" if ledger.sensor == "ebpf" else "short connections are missed"
    notices.append(Notice("status", f"recording by {ledger.sensor}{kind}; hooks: {attached}{missing}"))
    if ledger.sensor == "poll" and (settings.attempts or settings.closes):
        text = "poll sees neither failed attempts nor ends: --attempts and --closes have no effect"
        notices.append(Notice("warning", text))
    if os.geteuid() == 0 and account is None:
        text = "stays user 0, without any capability: it takes CAP_SETUID and CAP_SETGID to become another account"
        notices.append(Notice("warning", text))
    return notices
