"""A disk that fills up at every step of a commit: the lake stays whole, and what failed goes through later."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# A disk of its own, of a namespace that goes with the process: no rights are needed where namespaces are allowed.
_SCRIPT = 'mount -t tmpfs -o size=2m tmpfs "$1" && shift && exec "$@"'


@pytest.mark.long
def test_disk_that_fills_up_at_any_step_leaves_the_lake_whole(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c", _SCRIPT, "sh", str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("no disk of a small size can be had here: namespaces are not allowed")
    script = Path(__file__).with_name("full_disk.py")
    done = subprocess.run([*unshare, sys.executable, str(script), str(disk)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    assert set(reported) == {"append", "note", "compact", "expire", "mend"}
    for job, (failed, through) in reported.items():
        assert failed, job
        assert through, job
