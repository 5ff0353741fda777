"""Lines that the core writes are those that the same connections have on the way through batches."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from namespaces import Host

_START_S = 30
_ATTACHED_S = 1.0
# Flows are held for a second, until it is known whose they are.
_ARRIVAL_S = 3.0
# Each recorder has its own clock, numbers and account.
_OWN = re.compile(
    rb'"(event_recorded_time|event_creation_time|record_id|logger_\w+|duration_us)":("[^"]*"|\d+)'
    rb"|20\d\d-\d\d-\d\d[T ][\d:.]+Z?|<EventRecordID>\d+|Execution ProcessID=\"\d+\" ThreadID=\"\d+\""
    rb"|^[A-Z][a-z][a-z] [ \d]\d [\d:]+"
)
_PROCESS = re.compile(rb'"process_id":(\d+)|^(\d+),|"ProcessId">(\d+)<')
_CSV = "process_id,event_creation_time,src_port,dst_ip,process_command_line,process_ancestry,src_ip_bytes,sent_bytes"


@contextmanager
def recorder(path: Path, *options: str) -> Iterator[None]:
    """Records to a file."""
    code = "from procwire.cli import main; main()"
    command = [sys.executable, "-c", code, "record", "--all", "--no-dns-lookup"]
    process = subprocess.Popen([*command, "-o", path, *options], stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        while b"recording by ebpf" not in process.stderr.readline():
            assert process.poll() is None
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(_START_S) == 130
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("way", ["ndjson", "csv", "xml", "syslog"])
def test_lines_are_those_of_batches(way: str, host: Host) -> None:
    """Two recorders at once, one of which has two outputs, so that it records by batches."""
    columns = ["--columns", _CSV] if way == "csv" else []
    options = ["--to", way, "--attempts", "--closes", *columns]
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        paths = folder / "lines", folder / "batches"
        with ExitStack() as stack:
            stack.enter_context(recorder(paths[0], *options))
            stack.enter_context(recorder(paths[1], *options, "--to", "ndjson", "-o", str(folder / "other")))
            # Both are attached, and what is in the middle of something else is seen by both.
            time.sleep(_ATTACHED_S)
            truth = host.run("mix.run", way, 300)
            time.sleep(_ARRIVAL_S)
        processes = {row.get("process", row).get("process_id") for row in truth}
        lines, batches = (of(processes, way, path) for path in paths)
        assert lines.total() >= 100
        assert lines - batches == batches - lines == Counter()
        if way == "ndjson":
            kinds = {kind for kind in ("connection", "attempt", "close") if b'"%s"' % kind.encode() in b"".join(lines)}
            assert kinds == {"connection", "attempt", "close"}


def of(processes: set[int], way: str, path: Path) -> Counter[bytes]:
    """The records of these processes, without what each recorder has of its own."""
    end = b"</Event>\n" if way == "xml" else b"\n"
    records = path.read_bytes().split(end)
    found = [(record, _PROCESS.search(record)) for record in records]
    mine = [record for record, match in found if match and int(match[match.lastindex or 0]) in processes]
    # Where a footer stood blanks are left, before whatever was written next.
    return Counter(_OWN.sub(b"", record[record.index(b"<Event ") :] if way == "xml" else record) for record in mine)
