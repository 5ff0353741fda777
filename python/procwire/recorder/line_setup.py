"""Set up a recording by lines, which the core writes."""

from __future__ import annotations

import socket
import stat
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from procwire.recorder.notices import warner
from procwire.recorder.output_files import opening
from procwire.recorder.reload import reloader
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable
    from typing import BinaryIO

    from procwire.event import Field
    from procwire.recorder.deciding import Decisions
    from procwire.recorder.ledger import RecordingLedger
    from procwire.recorder.lines import LineLosses, LineRecorder
    from procwire.recorder.notices import Notify
    from procwire.recorder.predicates import Where
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.recorder.reload import LiveRules
    from procwire.recorder.settings import RecordingSettings, Target
    from procwire.signals import Hangups
    from procwire.sources.sensor import EbpfSource
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = ["kept_fields", "line_recorder"]


def kept_fields(settings: RecordingSettings) -> tuple[Field, ...] | None:
    """Return the columns of the lines; None if the recording must be by batches.

    It must for alerts, rows that rules do not log, other formats, a terminal, several outputs, and computed columns.

    Raises UsageError for a column that does not exist.
    """
    if settings.detect or settings.keep_unlogged or settings.sensor == "poll":
        return None
    if len(settings.targets) != 1 or not _takes_lines(settings.targets[0]):
        return None
    from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, field, fields

    if settings.columns is None or format_named(settings.targets[0].way).whole_events:
        return fields("event", "system", "live")
    kept = tuple(field(name, settings.names, FIELDS + LIVE_FIELDS + DERIVED) for name in settings.columns)
    if len(set(kept)) < len(kept) or any(field.group == "derived" for field in kept):
        return None
    return kept


def _takes_lines(target: Target) -> bool:
    if not format_named(target.way).core_lines:
        return False
    if target.to_stdout:
        return not sys.stdout.isatty()
    try:
        # A terminal must not receive text that it would execute.
        return target.path is None or not stat.S_ISCHR(target.path.stat().st_mode)
    except OSError:
        return True


def line_recorder(
    settings: RecordingSettings,
    fields: tuple[Field, ...],
    source: EbpfSource,
    stream: BinaryIO | None,
    record_ids: RecordIds | FreshIds,
    ledger: RecordingLedger,
    *,
    account: pwd.struct_passwd | None,
    on_status: Callable[[RecordingLedger], None],
    hangups: Hangups,
    configured: LiveRules | None,
    predicate: Where | None,
    notify: Notify,
    stack: ExitStack,
) -> LineRecorder:
    """Open the only output, and set the form of the lines; `stack` closes it.

    fields: see `kept_fields`. stream: stdout, if lines go there. Raises UsageError if the output cannot be written.
    """
    from procwire.enrich.envelope import CONNECTION, logger
    from procwire.enrich.hosts import HostNames
    from procwire.enrich.naming import Naming
    from procwire.enrich.ports import port_names
    from procwire.enrich.users import UserNames
    from procwire.recorder.ledger import OutputLedger
    from procwire.recorder.lines import CountedLines, LineRecorder
    from procwire.sinks.forms import SYSMON_WAYS, line_form, stamp
    from procwire.sinks.lines import line_output
    from procwire.sinks.rotation import Rotation
    from procwire.sources.sensor import LineForm

    [target] = settings.targets
    rotation = Rotation(settings.rotate_bytes, settings.rotate_s, settings.keep, time.time)
    with opening(settings, target, account):
        columns = [field.named(settings.names) for field in fields]
        output = line_output(target.way, target.path, columns, rotation, stream)
    ledger.outputs.append(OutputLedger(target.name, target.way))
    counted = CountedLines(output, ledger.outputs[-1], warner(notify))
    stack.callback(counted.close)
    users, hosts = UserNames(), HostNames(settings.dns_lookup)
    stack.callback(users.close)
    stack.callback(hosts.close)
    computer_name = socket.gethostname()
    constants = {**CONNECTION, **logger(computer_name), "event_id": 3}

    def start() -> str:
        return stamp(time.time(), computer_name) if output.has_hostname else f"<14>{stamp(time.time(), None)}"

    decisions = _decisions(configured, predicate)
    # With a configuration its own rules have those of `-n`.
    by_image = bool(settings.images) and configured is None
    logs = _logged_images(settings.images if by_image else None)
    rules, keeps = (None, None) if decisions is None else (decisions.rules, decisions.keeps)
    names = Naming(users, hosts, start, logs, rules=rules, keeps=keeps)
    form = LineForm(line_form(target.way, fields, settings.names))

    def write_lines() -> None:
        asked = None if decisions is None else decisions.asked()
        source.write_lines(
            form,
            constants=constants,
            ports=port_names(),
            namespace=hosts.namespace,
            connections_only=target.way in SYSMON_WAYS,
            by_image=by_image,
            rules=asked and asked.rules,
            predicate=asked and asked.predicate,
            names_hosts=asked is None or asked.names_hosts,
            sizes=asked.sizes if asked else {},
            names=names,
        )

    reload = reloader([configured], hangups, notify)

    def refresh() -> None:
        reload()
        if decisions is not None and decisions.are_changed:
            write_lines()

    write_lines()
    losses = _losses(settings, fields, constants, start)
    return LineRecorder(
        source,
        counted,
        record_ids=record_ids,
        losses=losses,
        ledger=ledger,
        on_status=on_status,
        between_batches=refresh,
        undecided=lambda: 0 if decisions is None else decisions.undecided,
    )


def _logged_images(images: list[str] | None) -> Callable[[str | None], bool]:
    if images is None:
        return lambda _: True
    # Import only now: a recording without `-n` has not imported it, and may no longer be able to.
    from procwire.recorder.images import logged_images

    return logged_images(images)


def _decisions(configured: LiveRules | None, predicate: Where | None) -> Decisions | None:
    """Return the decisions about which rows are written; None if all are."""
    if configured is None and predicate is None:
        return None
    from procwire.recorder.deciding import Decisions

    return Decisions(None if configured is None else lambda: cast("ConfigFilter", configured.applied), predicate)


def _losses(
    settings: RecordingSettings, fields: tuple[Field, ...], constants: dict[str, str | int], start: Callable[[], str]
) -> LineLosses:
    """Return a function that makes the lines that report losses."""
    from procwire.enrich.envelope import ERROR
    from procwire.sinks.forms import DESCRIPTION, STAMP, loss_form, loss_text
    from procwire.sources.sensor import LineForm

    form = LineForm(loss_form(settings.targets[0].way, fields, settings.names))

    def line(values: dict[str, str | int | None]) -> bytes:
        text = loss_text(cast("int", values["events_lost"]), cast("str | None", values["attribution"]))
        return form.line({**constants, **ERROR, **values, DESCRIPTION: text, STAMP: start()})

    return line
