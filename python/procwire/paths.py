"""Cut paths of Windows and of POSIX, which one log may mix, to the name of the file."""

from __future__ import annotations

from typing import Any

__all__ = ["BASE_NAME", "base_name", "base_names"]

BASE_NAME = r"[^\\/]*$"
"""The name as a regular expression that DuckDB, Spark and RE2 know; Python's `$` also matches before a last newline."""
_FOLDERS = r"(?s)^.*[\\/]"


def base_name(path: str) -> str:
    r"""Return what follows the last `\` or `/`: the path itself if it has neither."""
    return path.replace("\\", "/").rpartition("/")[2]


def base_names(paths: Any) -> Any:
    """Return `base_name` of each text of an Arrow array; null for null."""
    # Arrow is slow to import, and paths of one row need none.
    import pyarrow.compute as pc

    return pc.replace_substring_regex(paths, _FOLDERS, "")
