"""Ends of connections: duration, bytes each way, and how they came about."""

from __future__ import annotations

import pytest
from namespaces import Host
from recording import Recording
from traffic.witness import Row


def closes(recording: Recording, host: Host, program: str, *arguments: object) -> list[Row]:
    """Run a traffic program, assert its connections and their ends; the ends."""
    seen = recording.expect(host.run(program, *arguments), host, closes=True)
    return [row for row in seen if row["record_kind"] == "close"]


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize(("sent", "received"), [(0, 0), (1, 0), (0, 1), (123, 4567), (300_000, 2_000_000)])
def test_bytes_are_exact(recording: Recording, host: Host, family: str, sent: int, received: int) -> None:
    for row in closes(recording, host, "ends.by_client", family, sent, received):
        # At least a FIN each way; what a handshake counts for depends on the end.
        assert row["sent_packets"] >= 1
        assert row["received_packets"] >= 1


@pytest.mark.parametrize(
    "way", ["by_server", "half_closed", "reset_by_client", "reset_by_server", "unread", "by_exit", "never_accepted"]
)
def test_who_ended_it_how(recording: Recording, host: Host, way: str) -> None:
    closes(recording, host, f"ends.{way}")


def test_duration_is_that_of_the_connection(recording: Recording, host: Host) -> None:
    for row in closes(recording, host, "ends.lasting", 0.3):
        # A loaded machine may take longer, never shorter.
        assert 300_000 <= row["duration_us"] < 5_000_000


def test_peer_that_fell_silent(recording: Recording, two_hosts: tuple[Host, Host]) -> None:
    one, other = two_hosts
    server = other.start("tcp.serve", "10.1.0.2", 8000, 1).ready()
    client = one.start("ends.timed_out", "10.1.0.2", 8000).ready()
    other.ip("link set eth down")
    client.go_on()
    truth = client.end()
    server.kill()
    recording.expect(truth, one, closes=True)
