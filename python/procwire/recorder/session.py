"""Run a recording: set up everything that needs root, drop root, then record.

This permanently changes its process: the umask, the capabilities, the account. Python users' recordings therefore have
their own process, see `process`.
"""

from __future__ import annotations

import os
import pwd
import select
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO, cast

from procwire.errors import RecordError, UsageError
from procwire.recorder.batch_setup import batch_recorder, selections_of
from procwire.recorder.configuration import check_readable, live_rules
from procwire.recorder.detection import first_rules
from procwire.recorder.imports import import_all
from procwire.recorder.lake_output import make_folder
from procwire.recorder.line_setup import kept_fields, line_recorder
from procwire.recorder.notices import Notice, warner
from procwire.recorder.output_files import check_files, make_files, open_ledger
from procwire.recorder.source_setup import announcement, open_source
from procwire.signals import Hangups, Signals
from procwire.sources.memory import keep_memory_small, return_memory
from procwire.sources.privileges import can_change_account, drop_privileges, lock_privileges, recording_account
from procwire.sources.rights import KeptRights

if TYPE_CHECKING:
    from procwire.recorder.ledger import RecordingLedger
    from procwire.recorder.lines import LineRecorder
    from procwire.recorder.loop import Recorder
    from procwire.recorder.notices import Notify
    from procwire.recorder.predicates import Where
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.recorder.settings import RecordingSettings, StandardOutput
    from procwire.sources.sensor import EbpfSource
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = ["RecordingResult", "record"]


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """Hold the result of a recording."""

    ledger: RecordingLedger
    """What was captured, filtered, written and lost; final."""
    signal: int | None
    """The number of the signal that ended it, such as `signal.SIGINT`; None if something else did."""


def record(
    settings: RecordingSettings,
    notify: Notify,
    *,
    stdout: Callable[[], StandardOutput] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RecordingResult:
    """Record until a limit of the settings is reached, `stop` returns True, SIGINT or SIGTERM comes, or stdout closes.

    Call it in the main thread of a process that has no other thread, and has not imported Arrow.

    notify: receives all notices. stdout: opens stdout, if an output needs it. stop: called several times a second.

    Raises UsageError for settings that cannot be used, and RecordError if this machine cannot be recorded, or root
    cannot be dropped. Raises OSError if an output that is not a file (stdout) cannot be written.
    """
    check_files(settings)
    if sys.platform != "linux":
        raise RecordError(f"found {sys.platform}, expected Linux: other systems' logs can be read, not recorded")
    if settings.lake is not None:
        from procwire.lake.owner import hand_over

        hand_over(settings.lake, settings.user)
    keep_memory_small()
    account = _account(settings)
    # Files and folders of a recording are for the account and its group, whoever creates them.
    os.umask(os.umask(0) | 0o027)
    # A process that changes its account keeps its privileges until then.
    rights = KeptRights() if account is None else None
    # Before anything begins a thread, as importing Arrow does.
    lock_privileges()
    fields = kept_fields(settings)
    predicate = _predicate(settings, notify)
    selections = None if fields is not None else selections_of(settings)
    with ExitStack() as stack:
        hangups = stack.enter_context(Hangups())
        configured = None if settings.config is None else live_rules(settings, settings.config, hangups, notify)
        detection = first_rules(settings.detect, notify, settings.level, settings.lists) if settings.detect else None
        ledger_file = None
        if settings.ledger is not None:
            ledger_file = stack.enter_context(open_ledger(settings.ledger, account))
        opened = (rights or KeptRights()).begin(partial(open_source, settings))
        # Import while the kernel verifies the programs, which takes as long.
        import_all(settings, lines=selections is None)
        source, ledger = opened()
        stack.callback(source.close)
        ledger.configuration = None if configured is None else configured.ledger
        for notice in announcement(ledger, settings, account):
            notify(notice)
        if selections is None and ledger.sensor != "ebpf":
            selections = selections_of(settings)
            import_all(settings, lines=False)
        images = _images_filter(settings) if configured is None and selections is not None else None
        record_ids = _record_ids(notify, stack)
        on_status = _status(notify, stack)
        own_stdout = stdout() if stdout is not None and settings.writes_to_stdout else None
        if account is not None:
            make_files(settings, account)
            if settings.writes_to_lake:
                make_folder(settings.lake, account)
            drop_privileges(account, source.capabilities)
        for path in settings.inputs:
            check_readable(path, account, notify)
        with ExitStack() as output_stack:
            recorder: Recorder | LineRecorder
            if selections is None:
                assert fields is not None
                recorder = line_recorder(
                    settings,
                    fields,
                    cast("EbpfSource", source),
                    None if own_stdout is None else own_stdout.stream,
                    record_ids,
                    ledger,
                    account=account,
                    on_status=on_status,
                    hangups=hangups,
                    configured=configured,
                    predicate=predicate,
                    notify=notify,
                    stack=output_stack,
                )
            else:
                recorder = batch_recorder(
                    settings,
                    selections,
                    source,
                    own_stdout,
                    record_ids,
                    ledger,
                    account=account,
                    on_status=on_status,
                    hangups=hangups,
                    configured=configured,
                    images=images,
                    detection=detection,
                    predicate=predicate,
                    notify=notify,
                    stack=output_stack,
                )
            # Report after the outputs are closed: only then everything is written.
            stack.callback(_report, ledger, ledger_file, notify)
            return_memory()
            number = _run(settings, recorder, stop)
    return RecordingResult(ledger, number)


def _account(settings: RecordingSettings) -> pwd.struct_passwd | None:
    """Return the account to change to; None if this process is not root, or a root that cannot change it."""
    if can_change_account():
        return recording_account(settings.user)
    if settings.user is not None and os.geteuid() == 0:
        raise UsageError(f"found --user {settings.user}, expected CAP_SETUID and CAP_SETGID, to become another account")
    if settings.user is not None:
        raise UsageError(f"found --user {settings.user}, expected to be root: only root can become another account")
    return None


def _predicate(settings: RecordingSettings, notify: Notify) -> Where | None:
    """Return the predicate of `--where`, checked before anything begins. Raises UsageError."""
    if not settings.where:
        return None
    from procwire.recorder.predicates import Where

    return Where(settings.where, settings.names, warner(notify))


def _images_filter(settings: RecordingSettings) -> ConfigFilter | None:
    if not settings.images:
        return None
    from procwire.recorder.images import images_filter

    return images_filter(settings.images)


def _record_ids(notify: Notify, stack: ExitStack) -> RecordIds | FreshIds:
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.sources.folders import state_folder

    folder = state_folder()
    try:
        ids = RecordIds(folder)
    except OSError as error:
        notify(Notice("warning", f"cannot store the record id in {folder}: {error.strerror}; it counts from 1"))
        return FreshIds()
    stack.callback(ids.close)
    return ids


def _status(notify: Notify, stack: ExitStack) -> Callable[[RecordingLedger], None]:
    from procwire.recorder.status import StatusFile
    from procwire.sources.folders import runtime_folder

    folder = runtime_folder()
    try:
        file = StatusFile(folder)
    except OSError as error:
        notify(Notice("warning", f"--status will not show this recording: cannot write in {folder}: {error.strerror}"))
        return lambda _: None
    stack.callback(file.close)
    return file.write


def _run(settings: RecordingSettings, recorder: Recorder | LineRecorder, stop: Callable[[], bool]) -> int | None:
    """Record; return the number of the signal that ended it, or None."""
    reader_gone = _reader_watch() if settings.writes_to_stdout else lambda: False
    signals = Signals()
    # Signals take effect between two steps, so that no batch is interrupted.
    with suppress(KeyboardInterrupt), signals, signals.held():
        recorder.run(
            lambda: signals.received is not None or reader_gone() or stop(),
            duration_s=settings.duration_s,
            count=settings.count,
        )
    return signals.received


def _reader_watch() -> Callable[[], bool]:
    """Return a function for whether stdout is a pipe without a reader; it does not write to it."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return lambda: False
    return lambda: any(event & select.POLLERR for _, event in poll.poll(0))


def _report(ledger: RecordingLedger, file: TextIO | None, notify: Notify) -> None:
    import json
    import time

    ledger.end_s = time.time()
    if file is not None:
        file.write(json.dumps(ledger.to_dict(), indent=2) + "\n")
    notify(Notice("summary", ledger.summary()))
