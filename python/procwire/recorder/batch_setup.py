"""Set up a recording by batches: its outputs, enrichment, rules and envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from procwire.recorder.detection import Alerting
from procwire.recorder.notices import warner
from procwire.recorder.output_files import opening
from procwire.recorder.reload import reloader

if TYPE_CHECKING:
    import pwd
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    import pyarrow as pa

    from procwire.lake.recording import LakeOutput
    from procwire.recorder.ledger import RecordingLedger
    from procwire.recorder.loop import Recorder, Step
    from procwire.recorder.notices import Notify
    from procwire.recorder.outputs import SelectedOutput
    from procwire.recorder.predicates import Where
    from procwire.recorder.record_ids import FreshIds, RecordIds
    from procwire.recorder.reload import LiveRules
    from procwire.recorder.settings import RecordingSettings, StandardOutput, Target
    from procwire.select import Selection
    from procwire.sigma import RuleSet
    from procwire.signals import Hangups
    from procwire.sinks.recording import RecordingOutput
    from procwire.sources.live import LiveSource

__all__ = ["batch_recorder", "enrichment", "envelope", "open_outputs", "selections_of"]


def selections_of(settings: RecordingSettings) -> list[Selection | None]:
    """Return each output's selection of a batch, see `outputs.live_selection`. Raises UsageError."""
    from procwire.recorder.outputs import live_selection

    return [
        live_selection(target.way, settings.names, settings.columns, unlogged=settings.keep_unlogged)
        for target in settings.targets
    ]


def batch_recorder(
    settings: RecordingSettings,
    selections: Sequence[Selection | None],
    source: LiveSource,
    stdout: StandardOutput | None,
    record_ids: RecordIds | FreshIds,
    ledger: RecordingLedger,
    *,
    account: pwd.struct_passwd | None,
    on_status: Callable[[RecordingLedger], None],
    hangups: Hangups,
    configured: LiveRules | None,
    images: Step | None,
    detection: RuleSet | None,
    predicate: Where | None,
    notify: Notify,
    stack: ExitStack,
) -> Recorder:
    """Open the outputs, and connect everything between the source and them; `stack` closes it.

    selections: see `selections_of`. images: the rules of `-n` where there is no configuration.

    Raises UsageError if an output cannot be written.
    """
    from procwire.recorder.loop import Recorder

    outputs = open_outputs(settings, selections, stdout, ledger, account, notify, stack)
    alerting = None
    if detection is not None:
        alerting = Alerting(settings, detection, outputs, ledger, hangups, stack, notify)
    return Recorder(
        source,
        outputs,
        enrich=enrichment(settings, configured, stack),
        rules=configured or images,
        predicate=predicate,
        envelope=envelope(record_ids),
        ledger=ledger,
        on_status=on_status,
        written=alerting.alerts if alerting else lambda _: None,
        between_batches=reloader([configured, alerting], hangups, notify),
    )


def open_outputs(
    settings: RecordingSettings,
    selections: Sequence[Selection | None],
    stdout: StandardOutput | None,
    ledger: RecordingLedger,
    account: pwd.struct_passwd | None,
    notify: Notify,
    stack: ExitStack,
) -> list[SelectedOutput]:
    """Open the outputs, each with its own ledger; `stack` closes them.

    Raises UsageError, which names the account, if one cannot be written.
    """
    from procwire.recorder.ledger import OutputLedger
    from procwire.recorder.outputs import SelectedOutput, schema_of

    outputs = []
    for target, selection in zip(settings.targets, selections, strict=True):
        with opening(settings, target, account):
            schema = schema_of(selection, target.way, alerts=bool(settings.detect))
            sink = _open_sink(settings, target, schema, stdout if target.to_stdout else None)
        ledger.outputs.append(OutputLedger(target.name, target.way))
        with_alerts = schema if settings.detect and selection is not None else None
        outputs.append(SelectedOutput(sink, selection, ledger.outputs[-1], warner(notify), alert_schema=with_alerts))
        stack.callback(outputs[-1].close)
    return outputs


def _open_sink(
    settings: RecordingSettings, target: Target, schema: pa.Schema, stdout: StandardOutput | None
) -> RecordingOutput | LakeOutput:
    if target.way == "lake":
        from procwire.recorder.lake_output import open_lake

        return open_lake(settings.lake)
    from procwire.sinks.recording import RecordingOutput

    return RecordingOutput(
        target.way,
        target.path,
        schema,
        rotate_bytes=settings.rotate_bytes,
        rotate_s=settings.rotate_s,
        keep=settings.keep,
        terminal=None if stdout is None else stdout.terminal,
        stream=None if stdout is None else stdout.stream,
    )


def enrichment(settings: RecordingSettings, rules: LiveRules | None, stack: ExitStack) -> list[Step]:
    """Return the steps that add names to a batch; `stack` closes their resources.

    rules: a configuration's rules, which may disable names of hosts and ports.
    """
    from procwire.enrich import ContainerIds, HostNames, PortNames, UserNames

    users, hosts, ports = UserNames(), HostNames(settings.dns_lookup), PortNames()
    stack.callback(users.close)
    stack.callback(hosts.close)
    if rules is None:
        return [users, ports, hosts, ContainerIds()]

    def names(batch: pa.RecordBatch) -> pa.RecordBatch:
        # Without DnsLookup nothing is looked up; the rules empty the names from the sensor.
        return hosts(ports(batch)) if rules.dns_lookup else batch

    return [users, names, ContainerIds()]


def envelope(record_ids: RecordIds | FreshIds) -> Step:
    """Return the step that numbers rows, and adds the columns of `System`."""
    import socket

    from procwire.enrich import Envelope

    complete = Envelope(socket.gethostname(), 1)

    def numbered(batch: pa.RecordBatch) -> pa.RecordBatch:
        complete.next_record_id = record_ids.take(batch.num_rows)
        return complete(batch)

    return numbered
