"""What is reported by default is event 3 itself: connections."""

from __future__ import annotations

from namespaces import Host
from recording import Recording


def test_neither_attempts_nor_ends_unless_asked_for(host: Host) -> None:
    with Recording() as recording:
        host.run("attempts.refused", "v4")
        truth = host.run("tcp.both_ends", "v4") + host.run("udp.exchange", "v4")
        rows = recording.expect(truth, host, closes=True)
        assert {row["event_id"] for row in rows} == {3}
