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
# Until the tables are full: those of processes after three minutes, that of their texts, which is bounded by bytes,
# after a quarter of an hour.
_WARM_S = min(1_200.0, _MINUTES * 45)
_GROWTH_KB = 4_096
_SAMPLE_S = 5.0
_SAY_EVERY_S = 60.0


def _resident_kb(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.long
@pytest.mark.timeout(_MINUTES * 60 + 600)
def test_recorder_that_runs_long(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 connections and 500 new processes a second, for an hour (PROCWIRE_SOAK_MINUTES).

    Rows are counted as they come, and kept nowhere. A line a minute says how far it is.
    """
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
        said_s = start_s
        while traffic.poll() is None:
            time.sleep(_SAMPLE_S)
            now_s = time.monotonic()
            if now_s - start_s > _WARM_S:
                resident_kb.append(_resident_kb(recording.process.pid))
            if now_s - said_s >= _SAY_EVERY_S:
                said_s = now_s
                with capsys.disabled():
                    sys.stdout.write(f"\n{_progress(now_s - start_s, counts, recording.process.pid)}")
                    sys.stdout.flush()
        assert traffic.stdout is not None
        with traffic.stdout as stdout:
            made = int(stdout.read())
        assert traffic.returncode == 0
        time.sleep(2)
        code, ledger = recording.end()
        reader.join()
    peaks = f"resident {resident_kb[0]:,} to {resident_kb[-1]:,} KB, at most {max(resident_kb):,}"
    with capsys.disabled():
        sys.stdout.write(f"\n{made:,} connections, {dict(counts)}, {peaks}, {ledger}\n")
    assert (code, ledger["lost"], ledger["unattributed"]) == (130, {}, {})
    assert counts == {("caller", True, True): made, ("caller", False, True): made}
    assert max(resident_kb) < resident_kb[0] + _GROWTH_KB


def _progress(passed_s: float, counts: Counter[tuple[object, ...]], process_id: int) -> str:
    rows, whole = sum(counts.copy().values()), counts["caller", True, True] + counts["caller", False, True]
    resident_kb = _resident_kb(process_id)
    return f"{passed_s / 60:.0f} min: {rows:,} rows, {rows - whole:,} not whole, {resident_kb:,} KB resident"


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
