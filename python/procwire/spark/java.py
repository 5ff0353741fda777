"""The Java that Spark runs on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_java", "java_version"]

_VERSIONS = (17, 21)
"""Those that Spark 4.0 runs on, the better known first."""
_FOLDERS = ("/usr/lib/jvm", "/opt/java", "/opt/homebrew/opt", "/Library/Java/JavaVirtualMachines")


def find_java() -> Path | None:
    """The home of a Java that Spark runs on: that of JAVA_HOME, of `java` on PATH, or of the usual folders."""
    homes = list(_homes())
    for accepted in (_VERSIONS, *((version,) for version in _VERSIONS)):
        # What the user chose counts, whichever of them it is; of what lies around, the better known.
        for home, is_chosen in homes:
            if java_version(home) in accepted and (is_chosen or len(accepted) == 1):
                return home
    return None


def java_version(home: Path) -> int | None:
    """The version of a home, as its file `release` tells it; None where there is no Java."""
    try:
        told = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', told, re.MULTILINE)
    return int(found[1]) if found and (home / "bin" / "java").exists() else None


def _homes() -> Iterator[tuple[Path, bool]]:
    """Homes, and whether the user chose them."""
    if chosen := os.environ.get("JAVA_HOME"):
        yield Path(chosen), True
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1], True
    for folder in map(Path, _FOLDERS):
        for found in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield found, False
            yield found / "Contents" / "Home", False
