"""Install a wheel with every extra but spark, its dependencies at their lowest allowed versions, and try it.

    python tests/wheel/try_lowest.py WHEEL

The environment is a fresh one of this Python. Prints the versions; exits with 1 if something fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

from try_wheel import CONNECTIONS, LOG, ROOT, run

_REQUIREMENT = re.compile(r"([\w-]+)[^;]*>=([\w.]+)[^;]*(?:; extra == '([\w-]+)')?")
# pyspark takes half a gigabyte and a Java; its range is that of one major version.
_UNTRIED = "spark"
_RULES = ROOT / "examples" / "rules"


def lowest(wheel: Path) -> list[str]:
    """Return the requirements of a wheel, each pinned to the lower end of its range."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    found = []
    for text in metadata.get_all("Requires-Dist", []):
        # Extras of its own, as in `procwire[sql]; extra == 'lake'`.
        if text.startswith("procwire["):
            continue
        match = _REQUIREMENT.fullmatch(text)
        assert match, f"found {text!r}, expected a requirement with a lower bound"
        if match[3] != _UNTRIED:
            found.append(f"{match[1]}=={match[2]}")
    return sorted(found)


def try_commands(procwire: Path, folder: Path) -> None:
    """Use what each dependency is for. Raises AssertionError or CalledProcessError."""
    lake, table = folder / "lake", folder / "connections.parquet"
    rows = run(procwire, "read", LOG, "--to", "ndjson").splitlines()
    assert len(rows) == CONNECTIONS, f"found {len(rows)} rows, expected {CONNECTIONS}"
    run(procwire, "record", "--all", "--for", "1s", "--sensor", "poll", "--to", "table")
    for form in ("csv", "xml", "arrow"):
        run(procwire, "read", LOG, "-o", folder / f"connections.{form}")
    run(procwire, "read", LOG, "--where", "dst_port > 100", "--sort", "dst_port", "-o", table)
    run(procwire, "read", LOG, "--to", "lake", "--lake", lake)
    # Each event once.
    run(procwire, "read", LOG, "--to", "lake", "--lake", lake)
    for source in (("--lake", lake), ("--files", LOG)):
        count = run(procwire, "sql", "SELECT count(*) AS n FROM connections", *source, "--to", "csv").split()[-1]
        assert int(count) == CONNECTIONS, f"found {count} rows, expected {CONNECTIONS}"
    for action in ("compact", "verify", "info"):
        run(procwire, "lake", action, "--lake", lake)
    run(procwire, "hunt", "beacons", "--lake", lake)
    run(procwire, "detect", "--rules", _RULES, LOG)
    run(procwire, "sigma", "check", _RULES)
    run(procwire, "sigma", "test", _RULES)


def main() -> int:
    """Try the wheel that the command line names."""
    [wheel] = (Path(argument).resolve() for argument in sys.argv[1:])
    pins = lowest(wheel)
    print("\n".join(pins), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        run(sys.executable, "-m", "venv", environment)
        pip = environment / "bin" / "pip"
        options = ("install", "--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary", ":all:")
        run(pip, *options, f"{wheel}[all]", *pins)
        run(pip, "check")
        try:
            try_commands(environment / "bin" / "procwire", Path(folder))
        except (AssertionError, subprocess.CalledProcessError) as error:
            print(error)
            print("0 passed, 1 failed")
            return 1
    print("1 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
