"""Sockets that were open when the recording began."""

from __future__ import annotations

from collections import Counter

import pytest
from namespaces import Host
from recording import Recording


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("existing", [True, False])
def test_open_when_the_recording_began(host: Host, family: str, existing: bool) -> None:
    # Without the option nothing is reported of what was there, but whose the sockets are is known all the same.
    program = host.start("existing.hold", family).ready()
    with Recording(*(["--existing"] if existing else [])) as recording:
        program.say("go on")
        truth = program.end()
        due = [row for row in truth if existing or row.get("record_kind") != "existing"]
        recording.expect(due, host)


def test_udp_socket_in_flight(host: Host) -> None:
    program = host.start("existing.in_flight").ready()
    with Recording("--existing") as recording:
        program.go_on()
        recording.expect(program.end(), host)


def test_what_begins_meanwhile_is_reported_once(host: Host) -> None:
    """The recorder looks for open sockets while connections come and go."""
    program = host.start("existing.come_and_go").ready()
    try:
        with Recording("--existing") as recording:
            recording.wait_for_quiet()
            program.go_on()
            program.end()
            recording.wait_for_quiet()
            times = Counter(row["connection_id"] for row in recording.of([host]))
    finally:
        program.kill()
    assert times
    assert max(times.values()) == 1
