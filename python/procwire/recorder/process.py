"""Run a recording in another process, for callers that continue afterwards: a recording as root changes its process.

The new process has no other threads, no Arrow and all privileges of this one. It receives the settings on its stdin,
and ends when that closes: so also when this process ends. It reports in JSON, one object per line, because its account
may have fewer privileges than this process: its output is never executed.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from typing import Any, NoReturn

from procwire import errors
from procwire.errors import ConfigurationError, ProcwireError, RecordError, UsageError
from procwire.extras import named_extras
from procwire.recorder.ledger import ConfigurationLedger, DetectionLedger, OutputLedger, RecordingLedger
from procwire.recorder.notices import Notice, Notify
from procwire.recorder.session import RecordingResult, record
from procwire.recorder.settings import RecordingSettings
from procwire.signals import Signals
from procwire.sources.live import Hook

__all__ = ["main", "record_in_process"]

# Isolated (-I): neither the working folder nor the environment adds modules that this process does not import itself.
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from procwire.recorder.process import main
main()
"""
_TICK_MS = 100


def record_in_process(
    settings: RecordingSettings, notify: Notify, stop: Callable[[], bool] = lambda: False
) -> RecordingResult:
    """Record like `session.record`, but in a new process, and return when it has ended.

    Ctrl-C ends the recording, and the result then has SIGINT, if this is the main thread and Python's own handler is
    installed; a second one kills it, and raises KeyboardInterrupt. Errors from `notify` and `stop` end it, too. Rows
    cannot go to stdout.

    Raises what `session.record` raises, and RecordError if the process ends without a result.
    """
    with _interrupts() as signals:
        process, reports = _start()
        assert process.stdin is not None
        result = None
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(sys.path).encode() + b"\n" + pickle.dumps(settings))
                process.stdin.flush()
            for report in _reports(reports):
                if report is None:
                    if not process.stdin.closed and (signals.received is not None or stop()):
                        _close(process)
                elif "notice" in report:
                    notify(Notice(**report["notice"]))
                elif "error" in report:
                    _raise(report["error"])
                else:
                    result = RecordingResult(_ledger(report["ledger"]), signals.received or report["signal"])
        except KeyboardInterrupt:
            process.kill()
            raise
        finally:
            os.close(reports)
            _close(process)
            process.wait()
    if result is None:
        raise RecordError(f"the recording's process ended without a result: exit code {process.returncode}")
    return result


def _start() -> tuple[subprocess.Popen[bytes], int]:
    """Start the new process; return it, and the descriptor of its reports."""
    reports, sent = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _CODE, str(sent)],
            stdin=subprocess.PIPE,
            pass_fds=(sent,),
            # Ctrl-C in a terminal reaches this process only, which ends the recording once.
            start_new_session=True,
        )
    except BaseException:
        os.close(reports)
        raise
    finally:
        os.close(sent)
    return process, reports


@contextmanager
def _interrupts() -> Iterator[Signals]:
    """Record the first Ctrl-C in the block, if this thread may do that and nobody else handles it."""
    signals = Signals([signal.SIGINT])
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or not is_ours:
        yield signals
        return
    with signals:
        signals.hold()
        yield signals


def _reports(descriptor: int) -> Iterator[dict[str, Any] | None]:
    """Yield what the process reports, and None at intervals, until it closes its end."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    partial = b""
    while True:
        yield None
        if not poll.poll(_TICK_MS):
            continue
        data = os.read(descriptor, 1 << 16)
        if not data:
            return
        *lines, partial = (partial + data).split(b"\n")
        yield from map(json.loads, lines)


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def main() -> NoReturn:
    """Run the new process: record by the settings on stdin, report to the descriptor given as argument, exit."""
    descriptor = int(sys.argv[1])
    os.set_inheritable(descriptor, False)

    def report(**values: object) -> None:
        # Nobody may be listening: the recording still ends in order.
        with suppress(OSError):
            _write(descriptor, json.dumps(values, default=asdict).encode() + b"\n")

    settings = pickle.load(sys.stdin.buffer)
    ended = select.poll()
    ended.register(sys.stdin.fileno(), select.POLLIN)
    try:
        with named_extras():
            result = record(settings, lambda notice: report(notice=asdict(notice)), stop=lambda: bool(ended.poll(0)))
        state = {each.name: getattr(result.ledger, each.name) for each in fields(result.ledger)}
        report(ledger=state, signal=result.signal)
    except (ProcwireError, OSError) as error:
        report(error=_described(error))
    sys.stderr.flush()
    # Arrow's threads may still run: one that finds the interpreter gone aborts the process.
    os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _described(error: ProcwireError | OSError) -> dict[str, object]:
    if isinstance(error, ConfigurationError):
        found = [asdict(finding) for finding in error.findings]  # type: ignore[call-overload]
        return {"type": "ConfigurationError", "path": error.path, "findings": found}
    if isinstance(error, OSError):
        return {"type": "OSError", "arguments": [error.errno, error.strerror or str(error), error.filename]}
    return {"type": type(error).__name__, "arguments": [str(error)]}


def _raise(described: Mapping[str, Any]) -> NoReturn:
    kind = described["type"]
    if kind == "OSError":
        raise OSError(*described["arguments"])
    if kind == "ConfigurationError":
        from procwire.sysmon.model import Finding, Place

        findings = [Finding(**{**each, "place": Place(*each["place"])}) for each in described["findings"]]
        raise ConfigurationError(described["path"], findings)
    known = getattr(errors, kind) if kind in errors.__all__ else UsageError
    raise known(*described["arguments"])


def _ledger(state: Mapping[str, Any]) -> RecordingLedger:
    """Return the ledger from its fields as JSON values."""
    parts: dict[str, Any] = {
        "captured": Counter(state["captured"]),
        "hooks": [Hook(*hook) for hook in state["hooks"]],
        "outputs": [OutputLedger(**output) for output in state["outputs"]],
    }
    for name, kind in (("configuration", ConfigurationLedger), ("detection", DetectionLedger)):
        if state[name] is not None:
            parts[name] = kind(**state[name])
    return RecordingLedger(**{**state, **parts})
