"""Show a recording live: time, process, user, direction, peer and outcome."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from rich.cells import cell_len

from procwire.sinks.cells import sysmon_time
from procwire.sinks.connections import MARK, account, address, base_name, fit_ends, gap, process_and_id
from procwire.sinks.layout import Column, shorten, styled
from procwire.sinks.plain import plain_text
from procwire.units import sized
from procwire.words import counted

__all__ = ["RECORDING_COLUMNS", "alert_lines", "loss_lines", "recording_columns"]

RECORDING_COLUMNS = (
    "event_creation_time", "process_name", "process_id", "user_name", "network_protocol",
    "network_connection_initiated", "src_ip", "src_host_name", "src_port",
    "dst_ip", "dst_host_name", "dst_port",
    "record_kind", "outcome", "duration_us", "sent_bytes", "received_bytes", "events_lost", "attribution",
    "rule_name", "logged",
)  # fmt: skip
"""What the live view needs of each row."""

_MIDDLE, _WIDE = 100, 160
_DOT = " · "
_MARKED = pa.array(["attempt", "close", "existing"])


def recording_columns(width: int) -> list[Column]:
    """Return the columns that fill `width`; fewer, if it is small."""
    between = gap(width)
    time, times = _times(width)
    if width < _MIDDLE:
        free = max(width - time - 5 - 4 * between, 40)
        names, user = free * 28 // 100, free * 12 // 100
        return [
            Column("TIME", time, times, shorten, "dim"),
            Column("PROCESS", names, process_and_id, fit_ends, "bold"),
            Column("USER", user, account, shorten),
            Column("WAY", 5, _way, shorten, "magenta"),
            Column("PEER", free - names - user, _peer_and_rest, _fit_peer, "green"),
        ]
    free = width - time - 7 - 5 - 6 - 7 * between
    # Columns are capped at the second number; the remaining width goes to HOST.
    names, user, peer = (min(free * share // 100, most) for share, most in ((24, 24), (12, 16), (28, 47)))
    return [
        Column("TIME (UTC)", time, times, shorten, "dim"),
        Column("PROCESS", names, base_name, shorten, "bold"),
        Column("PID", 7, lambda batch: batch.column("process_id").cast(pa.string()), shorten, right=True),
        Column("USER", user, account, shorten),
        Column("WAY", 5, _way, shorten, "magenta"),
        Column("LOCAL", 6, _local_port, shorten, right=True),
        Column("PEER", peer, _peer, fit_ends, "cyan"),
        Column("HOST", free - names - user - peer, _host_and_rest, _fit_host, "green"),
    ]


def loss_lines(losses: pa.RecordBatch, width: int, colours: bool) -> bytes:
    """Return a plain line for each loss."""
    start, end = styled("bold red") if colours else ("", "")
    times = pc.fill_null(_times(width)[1](losses), "-").to_pylist()
    counts = losses.column("events_lost").to_pylist()
    fates = [
        "lost here" if attribution is None else f"recorded without their process ({attribution})"
        for attribution in losses.column("attribution").to_pylist()
    ]
    texts = [
        f"{time}{' ' * gap(width)}{counted(count or 0, 'event')} {'was' if count == 1 else 'were'} {fate}"
        for time, count, fate in zip(times, counts, fates, strict=True)
    ]
    return "".join(f"{start}{shorten(text, width)}{end}\n" for text in texts).encode()


def alert_lines(alerts: pa.RecordBatch, width: int, colours: bool) -> bytes:
    """Return a line for each alert: the rule's level and title, the process, and its peer."""
    start, end = styled("bold red") if colours else ("", "")
    times = pc.fill_null(_times(width)[1](alerts), "-").to_pylist()
    texts = [pc.fill_null(plain_text(alerts.column(name)), "-").to_pylist() for name in ("rule_level", "rule_title")]
    whose, peers = (pc.fill_null(column, "-").to_pylist() for column in (process_and_id(alerts), _peer(alerts)))
    lines = [
        f"{time}{' ' * gap(width)}ALERT {level}: {title} ({process} {peer})".replace(MARK, "")
        for time, level, title, process, peer in zip(times, *texts, whose, peers, strict=True)
    ]
    return "".join(f"{start}{shorten(text, width)}{end}\n" for text in lines).encode()


def _times(width: int) -> tuple[int, Callable[[pa.RecordBatch], pa.StringArray]]:
    """Return the width of times, and their texts: with the day only where it fits, because now is today."""
    start, end = (11, 19) if width < _MIDDLE else (11, 23) if width < _WIDE else (0, 23)
    return end - start, lambda batch: pc.utf8_slice_codeunits(sysmon_time(batch["event_creation_time"]), start, end)


def _outgoing(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return whether the peer is the destination; true also where the direction is not known."""
    return pc.fill_null(batch.column("network_connection_initiated"), True)


def _way(batch: pa.RecordBatch) -> pa.StringArray:
    arrow = pc.fill_null(pc.if_else(batch.column("network_connection_initiated"), "→ ", "← "), "↔ ")
    return pc.binary_join_element_wise(arrow, pc.fill_null(plain_text(batch.column("network_protocol")), "-"), "")


def _peer(batch: pa.RecordBatch) -> pa.StringArray:
    return pc.if_else(_outgoing(batch), address(batch, "dst"), address(batch, "src"))


def _local_port(batch: pa.RecordBatch) -> pa.StringArray:
    port = pc.if_else(_outgoing(batch), batch.column("src_port"), batch.column("dst_port"))
    return pc.binary_join_element_wise(":", port.cast(pa.string()), "")


def _host(batch: pa.RecordBatch) -> pa.StringArray:
    host = pc.if_else(_outgoing(batch), batch.column("dst_host_name"), batch.column("src_host_name"))
    return pc.fill_null(plain_text(host), "-")


def _host_and_rest(batch: pa.RecordBatch) -> pa.StringArray:
    return pc.binary_join_element_wise(_host(batch), _rest(batch), MARK)


def _peer_and_rest(batch: pa.RecordBatch) -> pa.StringArray:
    # The address may have marks of its own: it comes last.
    host = pc.replace_substring_regex(_host(batch), "^-$", "")
    return pc.binary_join_element_wise(host, _rest(batch), _peer(batch), MARK)


def _fit_host(text: str, width: int) -> str:
    """Return the name, and the outcome in as much width as it needs."""
    host, _, rest = text.partition(MARK)
    if not rest or host == "-":
        return shorten(rest or host, width)
    room = max(width - cell_len(_DOT + rest), min(cell_len(host), width // 3))
    return shorten(f"{shorten(host, room)}{_DOT}{rest}", width)


def _fit_peer(text: str, width: int) -> str:
    """Return the address, then the outcome, and between them as much of the name as fits."""
    host, rest, peer = text.split(MARK, 2)
    tail = f"{_DOT}{rest}" if rest else ""
    fitted = fit_ends(peer, max(width - min(cell_len(tail), width // 2), 1))
    room = width - cell_len(fitted) - cell_len(tail) - 1
    name = f" {shorten(host, room)}" if host and room > 4 else ""
    return shorten(fitted + name + tail, width)


def _rest(batch: pa.RecordBatch) -> pa.StringArray:
    """Return the outcome of rows other than plain connections; and the rule that logs it."""
    outcome, rule = _outcome(batch), _rule(batch)
    between = pc.if_else(pc.or_(pc.equal(outcome, ""), pc.equal(rule, "")), "", ", ")
    return pc.binary_join_element_wise(outcome, between, rule, "")


def _rule(batch: pa.RecordBatch) -> pa.StringArray:
    unlogged = pc.fill_null(pc.invert(batch.column("logged")), False)
    return pc.if_else(unlogged, "not logged", pc.fill_null(plain_text(batch.column("rule_name")), ""))


def _outcome(batch: pa.RecordBatch) -> pa.StringArray:
    kind = batch.column("record_kind")
    if not pc.any(pc.is_in(kind, value_set=_MARKED)).as_py():
        return pa.array([""]).take(pa.nulls(batch.num_rows, pa.int32()).fill_null(0))
    outcome = pc.replace_substring(pc.fill_null(plain_text(batch.column("outcome")), "failed"), "-", " ")
    closed = pc.binary_join_element_wise(
        pc.replace_substring(pc.fill_null(plain_text(batch.column("outcome")), "closed"), "-", " "),
        pc.fill_null(pc.binary_join_element_wise(", ", _seconds(batch.column("duration_us")), " s", ""), ""),
        _bytes(batch.column("sent_bytes"), " out"),
        _bytes(batch.column("received_bytes"), " in"),
        "",
    )
    cases = pc.make_struct(pc.equal(kind, "attempt"), pc.equal(kind, "close"), pc.equal(kind, "existing"))
    return pc.fill_null(pc.case_when(cases, outcome, closed, pa.scalar("open already"), pa.scalar("")), "")


def _seconds(microseconds: pa.Int64Array) -> pa.StringArray:
    return pc.round(pc.divide(microseconds.cast(pa.float64()), 1e6), 2).cast(pa.string())


def _bytes(counts: pa.Int64Array, what: str) -> pa.StringArray:
    return pa.array(["" if count is None else f", {sized(count)}{what}" for count in counts.to_pylist()], pa.string())
