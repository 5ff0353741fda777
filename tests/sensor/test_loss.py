"""Nothing is lost silently, and traffic is never affected: the recorder stands still while much happens."""

from __future__ import annotations

import signal
from collections import Counter

import pytest
from namespaces import Host
from recording import Recording
from traffic.witness import Row

_TOLD = ("record_kind", "network_protocol", "network_connection_initiated", "src_ip", "src_port", "dst_ip", "dst_port")


def counted(rows: list[Row]) -> Counter[tuple[object, ...]]:
    """Events without their process, which may be what was lost."""
    return Counter(tuple(row[column] for column in _TOLD) for row in rows)


def test_buffer_full(host: Host) -> None:
    """The recorder is stopped, its buffer of the least size: the traffic program checks each of its calls."""
    with Recording("--attempts", "--buffer-mb", "1", "--for", "2s") as recording:
        recording.process.send_signal(signal.SIGSTOP)
        truth = host.run("mix.run", "full", 6_000)
        recording.process.send_signal(signal.SIGCONT)
        code, ledger = recording.finish()
        rows = recording.of([host])
        due, seen = counted(truth), counted(rows)
        lost = sum(ledger["lost"].values())
        assert code == 3
        assert not seen - due
        # Others on the machine may have lost events too.
        assert 0 < (due - seen).total() <= lost
        told: Counter[str | None] = Counter()
        for row in recording.rows:
            if row["record_kind"] == "loss":
                told[row.get("attribution")] += row["events_lost"]
        # What found no place may be the description of a process whose event did.
        assert told.pop(None) == lost
        assert told == Counter(ledger["unattributed"])
        nameless = [row for row in rows if row.get("attribution") in ("undescribed", "unseen")]
        assert all(row.get("process_name") is None for row in nameless)
        assert len(nameless) <= told.total()


def test_output_that_nobody_reads(host: Host) -> None:
    """The pipe that takes the rows is full: what finds no place is counted, and memory does not grow."""
    with Recording("--attempts", "--buffer-mb", "1", held=True) as recording:
        peaks_kb = []
        truth = []
        for seed in ("a", "b", "c"):
            truth += host.run("mix.run", seed, 3_000)
            peaks_kb.append(recording.peak_memory_kb())
        recording.go_on()
        recording.wait_for_quiet()
        code, ledger = recording.end()
        due, seen = counted(truth), counted(recording.of([host]))
        assert not seen - due
        assert 0 < (due - seen).total() <= sum(ledger["lost"].values())
        # What is held by then is a pipe, a batch and the kernel's buffer.
        assert peaks_kb[2] < peaks_kb[0] + 30_000
        assert code == 130


# More than the tables of the kernel side hold; one of so many is compared, which is quicker.
_MANY, _ONE_OF = 70_000, 16


def sample(host: Host, port: str) -> tuple[str, str]:
    """Options that keep, of the host's events, those with a port that `_ONE_OF` divides."""
    return "--where", f"network_namespace_id <> {host.id} OR {port} % {_ONE_OF} = 0"


def test_table_of_flows_full(host: Host) -> None:
    """More flows than the kernel side keeps: each is reported, once."""
    with Recording(*sample(host, "dst_port")) as recording:
        recording.expect(host.run("udp.many_ports", _MANY, _ONE_OF), host)


@pytest.mark.parametrize(
    "table", ["handshakes", *(pytest.param(table, marks=pytest.mark.long) for table in ("backlogs", "flows"))]
)
def test_table_that_another_user_fills(two_hosts: tuple[Host, Host], host: Host, table: str) -> None:
    """That takes neither an event nor its process from anybody else."""
    other, silent = two_hosts[0], "10.1.0.9"
    other.ip(f"neigh add {silent} lladdr 02:00:00:00:00:09 dev eth")
    other.set("net.core.somaxconn", 65_536)
    other.set("net.ipv4.tcp_max_syn_backlog", 65_536)
    other.set("net.ipv4.ip_local_port_range", "1024 65535")
    with Recording("--where", f"network_namespace_id <> {other.id}") as recording:
        filler = other.start(f"fillers.{table}", *([silent] if table == "handshakes" else []), _MANY).ready()
        truth = host.run("tcp.both_ends", "v4") + host.run("mix.run", "while full", 300)
        recording.expect([row for row in truth if row.get("record_kind") != "attempt"], host)
        filler.go_on()
        filler.end()
        # What it held is forgotten.
        recording.expect(host.run("tcp.both_ends", "v6"), host)
        code, ledger = recording.end()
        assert (code, ledger["lost"], ledger["unattributed"]) == (130, {}, {})


def test_listeners_of_another_user_hide_no_listener(host: Host) -> None:
    """Who listens is the only owner of what is accepted unseen and reset at once."""
    with Recording() as recording:
        filler = host.start("fillers.listeners", 2_000).ready()
        recording.expect(host.run("mistaken.accepts_unseen", "127.0.0.2", "last"), host)
        filler.go_on()
        filler.end()


def test_table_of_waiting_connections_full(host: Host) -> None:
    """More connections that wait to be accepted than the kernel side keeps: all can be made, and accepted."""
    host.set("net.core.somaxconn", 65_536)
    host.set("net.ipv4.tcp_max_syn_backlog", 65_536)
    # Or the kernel looks long for a free port.
    host.set("net.ipv4.ip_local_port_range", "1024 65535")
    with Recording(*sample(host, "src_port")) as recording:
        recording.expect(host.run("tcp.many_waiting", _MANY, _ONE_OF), host)
