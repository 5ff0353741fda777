"""A recording that the core writes as lines, set up."""

from __future__ import annotations

import os
import socket
import stat
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from procwire.cli.exits import complain
from procwire.errors import UsageError
from procwire.sinks.formats import format_named

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from procwire.cli.request import Request, Target
    from procwire.event import Field
    from procwire.recorder import LiveRules
    from procwire.recorder.deciding import Decisions
    from procwire.recorder.ledger import RecordingLedger
    from procwire.recorder.lines import LineLosses, LineRecorder
    from procwire.recorder.predicates import Where
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.sources.sensor import EbpfSource
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = ["import_all", "kept_fields", "opening", "recorder"]


def kept_fields(request: Request) -> tuple[Field, ...] | None:
    """Return the columns of the lines; None if batches must be recorded.

    That is so for alerts, rows that rules do not log, other formats, a terminal, several outputs, and computed columns.

    Raises UsageError for a column that does not exist.
    """
    if request.detect or request.keep_unlogged or request.sensor == "poll":
        return None
    if len(request.targets) != 1 or not _takes_lines(request.targets[0]):
        return None
    from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, field, fields

    if request.columns is None or format_named(request.targets[0].way).whole_events:
        return fields("event", "system", "live")
    kept = tuple(field(name, request.names, FIELDS + LIVE_FIELDS + DERIVED) for name in request.columns)
    if len(set(kept)) < len(kept) or any(field.group == "derived" for field in kept):
        return None
    return kept


def _takes_lines(target: Target) -> bool:
    if not format_named(target.way).core_lines:
        return False
    if target.to_stdout:
        return not sys.stdout.isatty()
    try:
        # A terminal is sent nothing that it would obey.
        return target.path is None or not stat.S_ISCHR(target.path.stat().st_mode)
    except OSError:
        return True


def import_all(request: Request) -> None:
    """Import what is needed later: the new account may not be allowed to read where Python's modules are."""
    import json  # noqa: F401

    import procwire.enrich.naming
    import procwire.enrich.ports
    import procwire.recorder.lines
    import procwire.sinks.lines

    if request.where or request.config:
        import procwire.recorder.deciding
    if request.images:
        import procwire.recorder.images
        import procwire.sysmon  # noqa: F401
    if request.dns_lookup:
        import dns.resolver
        import dns.reversename  # noqa: F401


def recorder(
    request: Request,
    fields: tuple[Field, ...],
    source: EbpfSource,
    stream: BinaryIO | None,
    record_ids: RecordIds | FreshIds,
    ledger: RecordingLedger,
    *,
    account: pwd.struct_passwd | None,
    on_status: Callable[[RecordingLedger], None],
    between: Callable[[], None],
    configured: LiveRules | None,
    predicate: Where | None,
    stack: ExitStack,
) -> LineRecorder:
    """Set up the only output, and how lines are written; `stack` closes it."""
    from procwire.cli.recording_rules import logged_images
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

    [target] = request.targets
    rotation = Rotation(request.rotate_bytes, request.rotate_s, request.keep, time.time)
    with opening(request, target, account):
        columns = [field.named(request.names) for field in fields]
        output = line_output(target.way, target.path, columns, rotation, stream)
    ledger.outputs.append(OutputLedger(target.name, target.way))
    counted = CountedLines(output, ledger.outputs[-1], complain)
    stack.callback(counted.close)
    users, hosts = UserNames(), HostNames(request.dns_lookup)
    stack.callback(users.close)
    stack.callback(hosts.close)
    computer_name = socket.gethostname()
    constants = {**CONNECTION, **logger(computer_name), "event_id": 3}

    def start() -> str:
        return stamp(time.time(), computer_name) if output.has_hostname else f"<14>{stamp(time.time(), None)}"

    decisions = _decisions(configured, predicate)
    # With a configuration its own rules have those of `-n`.
    by_image = bool(request.images) and configured is None
    rules, keeps = (None, None) if decisions is None else (decisions.rules, decisions.keeps)
    names = Naming(
        users, hosts, start, logged_images(request) if by_image else lambda _: True, rules=rules, keeps=keeps
    )
    form = LineForm(line_form(target.way, fields, request.names))

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

    def refresh() -> None:
        between()
        if decisions is not None and decisions.are_changed:
            write_lines()

    write_lines()
    losses = _losses(request, fields, constants, start)
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


def _decisions(configured: LiveRules | None, predicate: Where | None) -> Decisions | None:
    """What decides which rows are written; None where all are."""
    if configured is None and predicate is None:
        return None
    from procwire.recorder.deciding import Decisions

    return Decisions(None if configured is None else lambda: cast("ConfigFilter", configured.applied), predicate)


def _losses(
    request: Request, fields: tuple[Field, ...], constants: dict[str, str | int], start: Callable[[], str]
) -> LineLosses:
    """Make lines that tell of losses."""
    from procwire.enrich.envelope import ERROR
    from procwire.sinks.forms import DESCRIPTION, STAMP, loss_form, loss_text
    from procwire.sources.sensor import LineForm

    form = LineForm(loss_form(request.targets[0].way, fields, request.names))

    def line(values: dict[str, str | int | None]) -> bytes:
        text = loss_text(cast("int", values["events_lost"]), cast("str | None", values["attribution"]))
        return form.line({**constants, **ERROR, **values, DESCRIPTION: text, STAMP: start()})

    return line


@contextmanager
def opening(request: Request, target: Target, account: pwd.struct_passwd | None) -> Iterator[None]:
    """Open an output within: raises UsageError, which names the account, if it cannot be written or rotated."""
    try:
        yield
        rotates = request.rotate_bytes is not None or request.rotate_s is not None
        if rotates and target.path is not None and not os.access(target.path.parent, os.W_OK | os.X_OK):
            raise UsageError(f"cannot rotate {target.path}: its folder cannot be written")
    except (OSError, UsageError) as error:
        text = str(error) if isinstance(error, UsageError) else f"cannot write {target.name}: {error.strerror}"
        hint = f" (recording as {account.pw_name}: --user NAME for another)" if account else ""
        raise UsageError(text + hint) from error
