"""The ground truth against another witness: the kernel's own table of sockets, as ss(8) shows it."""

from __future__ import annotations

import re
import subprocess

import pytest
from namespaces import Host


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_truth_is_what_the_kernel_says(host: Host, family: str) -> None:
    program = host.start("existing.hold", family).ready()
    command = ["nsenter", f"--net={host.path}", "--", "ss", "-H", "-t", "-n", "-p", "state", "established"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    program.kill()
    told = set()
    for row in program.rows:
        if row["network_protocol"] == "tcp":
            source, destination = (f"{row[f'{end}_ip']}:{row[f'{end}_port']}" for end in ("src", "dst"))
            ends = (source, destination) if row["network_connection_initiated"] else (destination, source)
            told.add((*ends, row["process_id"]))
    seen = set()
    for line in lines:
        _, _, local, remote, *process = line.split()
        found = re.search(r"pid=(\d+)", "".join(process))
        # The one that waits to be accepted has no process.
        if found:
            seen.add((local.replace("[", "").replace("]", ""), remote.replace("[", "").replace("]", ""), int(found[1])))
    assert seen == told
    assert len(told) == 3
