"""A recording, set up: all that needs root first, then none of it, then the loop."""

from __future__ import annotations

import os
import pwd
import select
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, TextIO, cast

from procwire.cli import recording_lake, recording_lines
from procwire.cli.exits import ExitCode, complain
from procwire.cli.recording_detect import Alerting, first_rules
from procwire.cli.recording_rules import Hangups, check_readable, live_rules, rules_of_images, without_configuration
from procwire.cli.signals import Signals
from procwire.errors import RecordError, UsageError
from procwire.files import RECORDING_MODE, Place, find, make_folder
from procwire.sinks.formats import format_named
from procwire.sources.folders import LOG_FOLDER
from procwire.sources.memory import keep_memory_small, return_memory
from procwire.sources.privileges import can_change_account, drop_privileges, lock_privileges, recording_account
from procwire.sources.rights import KeptRights

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.cli.output import Output
    from procwire.cli.request import Request, Target
    from procwire.lake.recording import LakeOutput
    from procwire.recorder import LiveRules, Recorder, RecordingLedger
    from procwire.recorder.lines import LineRecorder
    from procwire.recorder.loop import Step
    from procwire.recorder.outputs import SelectedOutput
    from procwire.recorder.predicates import Where
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.select import Selection
    from procwire.sinks.recording import RecordingOutput
    from procwire.sources.live import LiveSource
    from procwire.sources.sensor import EbpfSource

__all__ = ["run"]


def run(request: Request) -> ExitCode:
    """Record as asked, until it is over."""
    keep_memory_small()
    account = _account(request)
    # Whoever makes files and folders of a recording: they are for the account and its group.
    os.umask(os.umask(0) | 0o027)
    # Who becomes another account keeps its rights until then.
    rights = KeptRights() if account is None else None
    # Before anything begins a thread, as importing Arrow does.
    lock_privileges()
    fields = recording_lines.kept_fields(request)
    predicate = _predicate(request)
    batches = None if fields is not None else _Batches(request)
    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())
        configured = None if request.config is None else live_rules(request, request.config, hangups)
        detection = first_rules(request.detect, request.level, request.lists) if request.detect else None
        ledger_file = _open_ledger(request, account, stack)
        opened = (rights or KeptRights()).begin(partial(_open_source, request))
        # Meanwhile: the kernel checks programs for as long as this takes.
        (_import_all if batches else recording_lines.import_all)(request)
        source, ledger = opened()
        stack.callback(source.close)
        ledger.configuration = None if configured is None else configured.ledger
        sys.stderr.write("".join(f"procwire: {line}\n" for line in _announcement(ledger, request, account)))
        if batches is None and ledger.sensor != "ebpf":
            batches = _Batches(request)
            _import_all(request)
        rules = configured or (rules_of_images(request) if request.images and batches else None)
        record_ids = _record_ids(stack)
        on_status = _status(stack)
        from procwire.cli.output import Output

        stdout = Output(None)
        if account is not None:
            _make_files(request, account)
            if any(target.way == "lake" for target in request.targets):
                recording_lake.make_folder(request.lake, account)
            drop_privileges(account, source.capabilities)
        for path in (*([request.config] if request.config else ()), *request.detect, *request.lists.values()):
            check_readable(path, account)
        with ExitStack() as output_stack:
            if batches is None:
                assert fields is not None
                lines = recording_lines.recorder(
                    request,
                    fields,
                    cast("EbpfSource", source),
                    stdout.stream if request.targets[0].to_stdout else None,
                    record_ids,
                    ledger,
                    account=account,
                    on_status=on_status,
                    between=_between(hangups, configured, None),
                    configured=configured,
                    predicate=predicate,
                    stack=output_stack,
                )
                stack.callback(_report, ledger, ledger_file)
                return_memory()
                return _record(request, lines, ledger)
            outputs = _open_outputs(request, batches.selections, stdout, ledger, account, output_stack)
            alerting = None
            if detection is not None:
                alerting = Alerting(request, detection, outputs, ledger, hangups, output_stack)
            # Told when the outputs are closed: only then all is written.
            stack.callback(_report, ledger, ledger_file)
            from procwire.recorder import Recorder

            recorder = Recorder(
                source,
                outputs,
                enrich=_enrichment(request, configured, output_stack),
                rules=rules,
                predicate=predicate,
                envelope=_envelope(record_ids),
                ledger=ledger,
                on_status=on_status,
                written=alerting.alerts if alerting else lambda _: None,
                between_batches=_between(hangups, configured, alerting),
            )
            return_memory()
            return _record(request, recorder, ledger)


class _Batches:
    """What is asked of batches, checked before anything begins. Raises UsageError."""

    def __init__(self, request: Request) -> None:
        from procwire.recorder.outputs import live_selection

        self.selections = [
            live_selection(target.way, request.names, request.columns, unlogged=request.keep_unlogged)
            for target in request.targets
        ]


def _predicate(request: Request) -> Where | None:
    """Return what `--where` asks for, checked before anything begins. Raises UsageError."""
    if not request.where:
        return None
    from procwire.recorder.predicates import Where

    return Where(request.where, request.names, complain)


def _between(hangups: Hangups, configured: LiveRules | None, alerting: Alerting | None) -> Callable[[], None]:
    """What is done between two batches."""
    steps = [part.refresh for part in (configured, alerting) if part is not None]
    if not steps:
        return partial(without_configuration, hangups)

    def refresh() -> None:
        for step in steps:
            step()

    return refresh


def _record(request: Request, recorder: Recorder | LineRecorder, ledger: RecordingLedger) -> ExitCode:
    reader_gone = _reader_watch() if any(target.to_stdout for target in request.targets) else lambda: False
    signals = Signals()
    # A signal is waited for between two steps, so that no batch is dropped half-way.
    with suppress(KeyboardInterrupt), signals, signals.held():
        recorder.run(
            lambda: signals.received is not None or reader_gone(), duration_s=request.duration_s, count=request.count
        )
    if signals.received is not None:
        return ExitCode(128 + signals.received)
    return ExitCode.RECORDED if ledger.is_whole else ExitCode.LOSSY


def _import_all(request: Request) -> None:
    """Import what is needed later: the new account may not be allowed to read where Python's modules are."""
    import json  # noqa: F401

    import procwire.enrich
    import procwire.recorder
    import procwire.recorder.outputs
    import procwire.sinks.recording

    if any(target.way == "lake" for target in request.targets):
        import procwire.lake.recording  # noqa: F401
    if request.dns_lookup:
        import dns.resolver
        import dns.reversename  # noqa: F401


def _account(request: Request) -> pwd.struct_passwd | None:
    """Whom to become; None where we are not root, or one that cannot become another."""
    if can_change_account():
        return recording_account(request.user)
    if request.user is not None and os.geteuid() == 0:
        raise UsageError(f"found --user {request.user}, expected CAP_SETUID and CAP_SETGID, to become another account")
    if request.user is not None:
        raise UsageError(f"found --user {request.user}, expected to be root: only root can become another account")
    return None


def _open_ledger(request: Request, account: pwd.struct_passwd | None, stack: ExitStack) -> TextIO | None:
    """Open the ledger: empty until the recording ends.

    It is always a new file, given to the account that writes it; so root opens nothing that somebody has put there, and
    the folder may be closed to the account.
    """
    if request.ledger is None:
        return None
    try:
        with find(request.ledger) as place:
            return stack.enter_context(os.fdopen(_opened_ledger(place, account), "w", encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot write {request.ledger}: {error.strerror}") from error


def _opened_ledger(place: Place, account: pwd.struct_passwd | None) -> int:
    found = place.stat()
    if found is not None and (place.descriptor is not None or not stat.S_ISREG(found.st_mode)):
        return place.open(os.O_WRONLY)
    # Whether it may be overwritten was checked.
    made = place.make(RECORDING_MODE, replace=found is not None)
    if account is not None:
        os.fchown(made, account.pw_uid, account.pw_gid)
    return made


def _open_source(request: Request) -> tuple[LiveSource, RecordingLedger]:
    from procwire.recorder import RecordingLedger
    from procwire.sources.boot import boot_time_ns, machine_id
    from procwire.sources.sensor import EbpfSource

    source: LiveSource
    reason = None
    boot_ns, machine = boot_time_ns(), machine_id()
    if request.sensor != "poll":
        try:
            source = EbpfSource(
                ring_bytes=request.ring_bytes,
                udp=request.protocol == "all",
                udp_idle_s=request.udp_idle_s,
                attempts=request.attempts,
                closes=request.closes,
                existing=request.existing,
                boot_time_ns=boot_ns,
                machine_id=machine,
            )
            return source, RecordingLedger(source.name, hooks=source.hooks)
        except RecordError as error:
            reason = str(error)
            if request.sensor == "ebpf":
                raise RecordError(f"cannot record by eBPF: {reason}") from error
    from procwire.sources.poll import PollSource

    source = PollSource(
        interval_s=request.interval_s,
        existing=request.existing,
        udp=request.protocol == "all",
        machine_id=machine,
        boot_time_ns=boot_ns,
    )
    return source, RecordingLedger(source.name, reason, source.hooks)


def _announcement(ledger: RecordingLedger, request: Request, account: pwd.struct_passwd | None) -> list[str]:
    """What records, on which hooks; and what of it is not as one might think."""
    lines = []
    if ledger.fallback_reason is not None:
        lines.append(f"no eBPF sensor: {ledger.fallback_reason}")
    attached = ", ".join(hook.name for hook in ledger.hooks if hook.attached)
    missing = "".join(f"; not {hook.name} ({hook.reason})" for hook in ledger.hooks if not hook.attached)
    kind = "" if ledger.sensor == "ebpf" else f", best effort: a look every {request.interval_s:g} s, between which "
    kind += "" if ledger.sensor == "ebpf" else "short connections are missed"
    lines.append(f"recording by {ledger.sensor}{kind}; hooks: {attached}{missing}")
    if ledger.sensor == "poll" and (request.attempts or request.closes):
        lines.append("poll sees neither failed attempts nor ends: --attempts and --closes have no effect")
    if os.geteuid() == 0 and account is None:
        lines.append(
            "stays user 0, without any capability: it takes CAP_SETUID and CAP_SETGID to become another account"
        )
    return lines


def _record_ids(stack: ExitStack) -> RecordIds | FreshIds:
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.sources.folders import state_folder

    folder = state_folder()
    try:
        ids = RecordIds(folder)
    except OSError as error:
        complain(f"cannot keep the record id in {folder}: {error.strerror}; it counts from 1")
        return FreshIds()
    stack.callback(ids.close)
    return ids


def _envelope(record_ids: RecordIds | FreshIds) -> Step:
    """Numbers the rows, and makes events of them."""
    import socket

    from procwire.enrich import Envelope

    envelope = Envelope(socket.gethostname(), 1)

    def numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
        envelope.next_record_id = record_ids.take(batch.num_rows)
        return envelope(batch)

    return numbered


def _status(stack: ExitStack) -> Callable[[RecordingLedger], None]:
    from procwire.recorder.status import StatusFile
    from procwire.sources.folders import runtime_folder

    folder = runtime_folder()
    try:
        file = StatusFile(folder)
    except OSError as error:
        complain(f"cannot tell --status of this recording, in {folder}: {error.strerror}")
        return lambda _: None
    stack.callback(file.close)
    return file.write


def _make_files(request: Request, account: pwd.struct_passwd) -> None:
    """Make files that are not there yet, for the account that will write them: it may not be allowed to.

    What is there is left alone, and a folder that root does not reach on a path to trust: the account tries for itself.
    """
    # Parquet files appear, and are named, later: for these the folder must be writable.
    files = [(target.path, format_named(target.way)) for target in request.targets if target.path is not None]
    if any(path.parent == LOG_FOLDER for path, _ in files) and not LOG_FOLDER.exists():
        make_folder(LOG_FOLDER, 0o750, (account.pw_uid, account.pw_gid))
    for path in [path for path, way in files if way.recorded != "parts"]:
        with suppress(OSError, UsageError), find(path) as place:
            made = place.make(RECORDING_MODE)
            os.fchown(made, account.pw_uid, account.pw_gid)
            os.close(made)


def _open_outputs(
    request: Request,
    selections: Sequence[Selection | None],
    stdout: Output,
    ledger: RecordingLedger,
    account: pwd.struct_passwd | None,
    stack: ExitStack,
) -> list[SelectedOutput]:
    from procwire.recorder.ledger import OutputLedger
    from procwire.recorder.outputs import SelectedOutput, schema_of

    outputs = []
    for target, selection in zip(request.targets, selections, strict=True):
        with recording_lines.opening(request, target, account):
            schema = schema_of(selection, target.way, alerts=bool(request.detect))
            sink = _open_sink(request, target, schema, stdout)
        ledger.outputs.append(OutputLedger(target.name, target.way))
        with_alerts = schema if request.detect and selection is not None else None
        outputs.append(SelectedOutput(sink, selection, ledger.outputs[-1], complain, alert_schema=with_alerts))
        stack.callback(outputs[-1].close)
    return outputs


def _open_sink(request: Request, target: Target, schema: pa.Schema, stdout: Output) -> RecordingOutput | LakeOutput:
    if target.way == "lake":
        from procwire.cli.recording_lake import open_lake

        return open_lake(request.lake)
    from procwire.sinks.recording import RecordingOutput

    return RecordingOutput(
        target.way,
        target.path,
        schema,
        rotate_bytes=request.rotate_bytes,
        rotate_s=request.rotate_s,
        keep=request.keep,
        terminal=stdout.terminal if target.to_stdout else None,
        stream=stdout.stream if target.to_stdout else None,
    )


def _enrichment(request: Request, rules: LiveRules | None, stack: ExitStack) -> list[Step]:
    from procwire.enrich import ContainerIds, HostNames, PortNames, UserNames

    users, hosts, ports = UserNames(), HostNames(request.dns_lookup), PortNames()
    stack.callback(users.close)
    stack.callback(hosts.close)
    if rules is None:
        return [users, ports, hosts, ContainerIds()]

    def names(batch: pa.RecordBatch) -> pa.RecordBatch:
        # Otherwise nothing is to be looked up; what the sensor gave is blanked by the rules.
        return hosts(ports(batch)) if rules.dns_lookup else batch

    return [users, names, ContainerIds()]


def _reader_watch() -> Callable[[], bool]:
    """Whether stdout is a pipe that nobody reads any more, asked without writing to it."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return lambda: False
    return lambda: any(event & select.POLLERR for _, event in poll.poll(0))


def _report(ledger: RecordingLedger, file: TextIO | None) -> None:
    import json
    import time

    from procwire.plain import plain

    ledger.end_s = time.time()
    if file is not None:
        file.write(json.dumps(ledger.to_dict(), indent=2) + "\n")
    with suppress(OSError):
        sys.stderr.write(plain(ledger.summary()) + "\n")
