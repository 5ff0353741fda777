"""A recorder that runs long stays as it is: nothing is lost, every row has its process, its memory does not grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from namespaces import Host
from recording import Recording

_MINUTES = float(os.environ.get("PROCWIRE_SOAK_MINUTES", "60"))
# Until the tables of processes are full.
_WARM_S = 180.0 if _MINUTES > 4 else 0.0
_GROWTH_KB = 4_096


def _resident_kb(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.long
@pytest.mark.timeout(_MINUTES * 60 + 600)
def test_recorder_that_runs_long(host: Host, tmp_path: Path) -> None:
    """2,000 connections and 500 new processes a second, for an hour (PROCWIRE_SOAK_MINUTES)."""
    binary = tmp_path / "soak"
    source = Path(__file__).parent / "traffic" / "soak.c"
    subprocess.run([sys.executable, "-m", "ziglang", "cc", "-O1", "-o", binary, source], check=True)
    # Whoever records is another account.
    output = Path("/tmp", f"procwire-soak-{os.getpid()}")
    os.mkfifo(output)
    output.chmod(0o666)
    counts: Counter[tuple[object, ...]] = Counter()
    reader = threading.Thread(target=_count, args=(output, host, counts))
    reader.start()
    with Recording("-o", str(output)) as recording:
        command = ["nsenter", f"--net={host.path}", "--", str(binary), str(_MINUTES * 60)]
        traffic = subprocess.Popen(command, stdout=subprocess.PIPE)
        resident_kb: list[int] = []
        start_s = time.monotonic()
        while traffic.poll() is None:
            time.sleep(5)
            if time.monotonic() - start_s > _WARM_S:
                resident_kb.append(_resident_kb(recording.process.pid))
        assert traffic.stdout is not None
        with traffic.stdout as stdout:
            made = int(stdout.read())
        assert traffic.returncode == 0
        time.sleep(2)
        code, ledger = recording.end()
        reader.join()
    peaks = f"resident {resident_kb[0]:,} to {resident_kb[-1]:,} KB, at most {max(resident_kb):,}"
    sys.stdout.write(f"\n{made:,} connections, {dict(counts)}, {peaks}, {ledger}\n")
    assert (code, ledger["lost"], ledger["unattributed"]) == (130, {}, {})
    assert counts == {("caller", True, True): made, ("caller", False, True): made}
    assert max(resident_kb) < resident_kb[0] + _GROWTH_KB


def _count(output: Path, host: Host, counts: Counter[tuple[object, ...]]) -> None:
    """Count the host's rows as they come: by attribution, direction, and whether they have their process."""
    mark = f'"network_namespace_id":{host.id}'.encode()
    with output.open("rb") as lines:
        output.unlink()
        # Most of a line is of no interest here.
        for line in lines:
            if mark in line:
                row = json.loads(line)
                counts[row["attribution"], row["network_connection_initiated"], row["process_name"] is not None] += 1
