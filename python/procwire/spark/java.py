"""Search for a Java version that Spark supports."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_java", "java_version"]

_VERSIONS = (17, 21)
"""The versions that Spark 4.0 supports, the better tested first."""
_FOLDERS = ("/usr/lib/jvm", "/opt/java", "/opt/homebrew/opt", "/Library/Java/JavaVirtualMachines")


def find_java() -> Path | None:
    """Return the home of a supported Java: from JAVA_HOME, `java` on PATH, or the usual folders; None if not found."""
    homes = list(_homes())
    for accepted in (_VERSIONS, *((version,) for version in _VERSIONS)):
        # A version that the user chose has priority; among the others, the better tested.
        for home, is_chosen in homes:
            if java_version(home) in accepted and (is_chosen or len(accepted) == 1):
                return home
    return None


def java_version(home: Path) -> int | None:
    """Return the major version of a Java home, from its file `release`; None if there is no Java."""
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    return int(found[1]) if found and (home / "bin" / "java").exists() else None


def _homes() -> Iterator[tuple[Path, bool]]:
    """Yield Java homes, and whether the user chose them."""
    if chosen := os.environ.get("JAVA_HOME"):
        yield Path(chosen), True
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parents[1], True
    for folder in map(Path, _FOLDERS):
        for found in sorted(folder.iterdir()) if folder.is_dir() else ():
            yield found, False
            yield found / "Contents" / "Home", False
