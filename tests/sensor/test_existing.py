"""Sockets that were open when the recording began."""

from __future__ import annotations

import pytest
from namespaces import Host
from recording import Recording


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("existing", [True, False])
def test_open_when_the_recording_began(host: Host, family: str, existing: bool) -> None:
    # Without the option nothing is told of what was there, but whose the sockets are is known all the same.
    program = host.start("existing.hold", family).ready()
    with Recording(*(["--existing"] if existing else [])) as recording:
        program.say("go on")
        truth = program.end()
        due = [row for row in truth if existing or row.get("record_kind") != "existing"]
        recording.expect(due, host)
