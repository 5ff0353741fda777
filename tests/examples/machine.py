"""A machine of its own for the commands that documents print: as root, and as somebody, in an empty environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ACCOUNTS", "ROOT", "Done", "Machine", "can_start", "started"]

ROOT = Path(__file__).parents[2]
ACCOUNTS = {"root": (0, "/root/case"), "alice": (4242, "/home/alice")}
"""Who is there: their number, and where their files are, closed to everybody else."""
_HERE = Path(__file__).parent
_VENV = Path(sys.prefix)
_PATH = f"/programs:{_VENV}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_TIMEOUT_S = 90
_TRAFFIC = (
    "import socket; s = socket.create_server(('127.0.0.1', 0)); "
    "[(socket.create_connection(s.getsockname()).close(), s.accept()[0].close()) for _ in range(3)]"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command."""

    code: int
    stdout: str
    stderr: str


class Machine:
    """Runs commands; `started` makes one."""

    def __init__(self, process_id: int, folder: Path) -> None:
        self.root = Path(f"/proc/{process_id}/root")
        """Its root folder, as the test sees it."""
        self._enter = ["nsenter", f"--target={process_id}", "--mount", "--net", "--root"]
        self._folder = folder
        self._count = 0

    def run(self, account: str, command: str, *, language: str = "sh", endless: bool = False) -> Done:
        """Run a command of a shell, or a program in Python, and wait for its end.

        endless: interrupt it, as Ctrl-C does, once it records or something arrived at `alert`.
        """
        self._count += 1
        # What stays there of recorders that ended: they may not remove it.
        before = set(self._recorders())
        outputs = [self._folder / f"{self._count}.{name}" for name in ("stdout", "stderr")]
        program = ["python", "-"] if language == "python" else ["bash", "-o", "pipefail", "-c", command]
        with outputs[0].open("wb") as stdout, outputs[1].open("wb") as stderr:
            process = subprocess.Popen(
                [*self._as(account), *program], stdin=subprocess.PIPE, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
            assert process.stdin is not None
            with process.stdin:
                process.stdin.write(command.encode() if language == "python" else b"")
            try:
                if endless:
                    self._interrupt(process, before)
                code = process.wait(_TIMEOUT_S)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return Done(code, *(path.read_text(errors="replace") for path in outputs))

    def give_home(self, files: Path) -> None:
        """Give everybody a copy of these files at home."""
        (self.root / "root").chmod(0o711)
        for number, home in ACCOUNTS.values():
            there = self.root / home.removeprefix("/")
            shutil.copytree(files, there)
            there.chmod(0o700)
            subprocess.run(["chown", "-R", f"{number}:{number}", there], check=True)

    def _as(self, account: str) -> list[str]:
        return [
            *self._enter, "setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups",
            "env", "-i", f"--chdir={ACCOUNTS[account][1]}", f"PATH={_PATH}",
        ]  # fmt: skip

    def _recorders(self) -> Iterator[Path]:
        """Yield the state of each recorder that records."""
        yield from (file for file in (self.root / "run" / "procwire").glob("recorder-*.json") if file.stat().st_size)

    def _interrupt(self, process: subprocess.Popen[bytes], before: set[Path]) -> None:
        deadline_s = time.monotonic() + _TIMEOUT_S
        alerted = self.root / "tmp" / "alerted"
        while not (alerted.exists() or set(self._recorders()) - before):
            if process.poll() is not None or time.monotonic() > deadline_s:
                return
            time.sleep(0.05)
        subprocess.run([*self._enter, str(_VENV / "bin" / "python"), "-c", _TRAFFIC], check=True)
        time.sleep(1)
        alerted.unlink(missing_ok=True)
        os.killpg(process.pid, signal.SIGINT)


def can_start() -> bool:
    """Return whether this account, here, may make a machine."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def started(folder: Path) -> Iterator[Machine]:
    """Start a machine that keeps its things in a folder; it ends with everything in it."""
    (folder / "root").mkdir()
    needed = [*map(str, (ROOT, _VENV, Path(sys.base_prefix).resolve(), folder))]
    process = subprocess.Popen(
        [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--net",
            "bash",
            str(_HERE / "machine.sh"),
            str(folder / "root"),
            sys.executable,
            *needed,
        ],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            assert process.stdout.readline() == b"ready\n"
            yield Machine(process.pid, folder)
    finally:
        process.kill()
        process.wait()
