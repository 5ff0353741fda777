"""Install a wheel into a fresh environment of each CPython from 3.11 that this machine has, and try it.

    python tests/wheel/try_wheel.py WHEEL

Looks for python3.11, python3.12 and so on in PATH, then among those of pyenv. Prints a line for each; exits with 1 if
one fails, or if there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOG = ROOT / "examples" / "sysmon.evtx"
CONNECTIONS = 153
MINORS = range(11, 20)
MOST_BYTES = 220 << 20
"""Of a plain install, without pip: what a server that only records has on its disk."""


def interpreters() -> list[Path]:
    """Return one working interpreter of each minor version, oldest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for minor in MINORS:
        name = f"python3.{minor}"
        in_path = (Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep))
        of_pyenv = pyenv.glob(f"3.{minor}.*/bin/{name}")
        found += [path for path in (*in_path, *of_pyenv) if path.exists() and _works(path)][:1]
    return found


def _works(python: Path) -> bool:
    # With venv, which Debian leaves out; a shim of pyenv's may stand for a version that is not there.
    return subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def try_wheel(python: Path, wheel: Path) -> str:
    """Install and try the wheel; return what is worth knowing. Raises AssertionError or CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        run(python, "-m", "venv", folder)
        environment = Path(folder) / "bin"
        run(environment / "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
        run(environment / "pip", "check")
        procwire = environment / "procwire"
        version = run(procwire, "--version").strip()
        rows = run(procwire, "read", LOG, "--to", "ndjson").splitlines()
        assert len(rows) == CONNECTIONS, f"found {len(rows)} rows, expected {CONNECTIONS}"
        run(procwire, "record", "--all", "--for", "1s", "--sensor", "poll", "--to", "csv")
        for command, extra in ((("read", LOG, "--where", "dst_port = 53"), "sql"), (("sql", "SELECT 1"), "")):
            refused = subprocess.run([procwire, *command], capture_output=True, text=True, check=False)
            assert refused.returncode == 2, refused.stderr
            assert f"pip install 'procwire[{extra}" in refused.stderr, refused.stderr
        site = next(Path(folder).glob("lib/python3*/site-packages"))
        for tool in ("pip", "setuptools"):
            shutil.rmtree(site / tool, ignore_errors=True)
        size = sum(path.stat().st_blocks * 512 for path in site.rglob("*") if path.is_file())
        assert size < MOST_BYTES, f"found {size:,} bytes, expected fewer than {MOST_BYTES:,}"
        return f"{version}, {len(rows)} rows, {size / (1 << 20):.0f} MiB installed"


def run(*command: str | Path) -> str:
    """Run a command and return its output; its errors go to stderr."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=tempfile.gettempdir()).stdout


def main() -> int:
    """Try the wheel that the command line names."""
    [wheel] = (Path(argument).resolve() for argument in sys.argv[1:])
    found = interpreters()
    failed = 0
    for python in found:
        version = run(python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])").strip()
        try:
            print(f"CPython {version}: {try_wheel(python, wheel)}", flush=True)
        except (AssertionError, subprocess.CalledProcessError) as error:
            print(f"CPython {version}: {error}", flush=True)
            failed += 1
    print(f"{len(found) - failed} passed, {failed} failed")
    return int(failed > 0 or not found)


if __name__ == "__main__":
    sys.exit(main())
