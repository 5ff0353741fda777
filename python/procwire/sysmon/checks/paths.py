"""Explain what paths of programs never are, in any event. Reasons: see `fields`."""

from __future__ import annotations

import re

from procwire.sysmon.atoms import Atom
from procwire.sysmon.checks.reasons import Reason, spaces, without_wildcards

__all__ = ["IMAGES_WITHOUT_PATH", "IMAGE_FIELDS", "why_never_image", "why_never_path"]

IMAGE_FIELDS = ("Image", "ParentImage", "SourceImage", "TargetImage")
"""Fields of any event that hold a program's full path."""
IMAGES_WITHOUT_PATH = (
    "system",
    "registry",
    "memcompression",
    "memory compression",
    "secure system",
    "<unknown process>",
)
"""Images that are no path; the first of them makes connections: SMB's."""


def why_never_image(field: str, atom: Atom) -> Reason:
    """Explain why a program's full path in this field never fulfils a comparison; return None where it may."""
    if atom.text == "-" or atom.kind in ("less than", "more than"):
        return None
    return spaces(field, atom) or why_never_path(atom)


def why_never_path(atom: Atom) -> Reason:
    """Return whether two texts differ at most in white space."""
    kind, text = atom
    if text.startswith("/") or text in IMAGES_WITHOUT_PATH:
        return None
    if "*" in text:
        return f"Sysmon has no wildcards; write {without_wildcards(text)}"
    if '"' in text:
        return "a path has no quotes; write it without"
    if kind == "image" and "/" in text:
        return "image compares what follows the last \\, which has no '/'"
    if kind == "is":
        return _whole_path(text)
    if kind == "begin with" and not re.match(r"([a-z](:|$)|[\\<%])", text):
        return (
            None if any(name.startswith(text) for name in IMAGES_WITHOUT_PATH) else "a path begins with a drive or a \\"
        )
    return None


def _whole_path(text: str) -> Reason:
    if "\\" not in text and "/" not in text:
        # Linux may leave a program's bare name where its path is unknown: that is `traps.without_path`'s.
        return f"it holds the full path; write image '{text}'" if "." in text else None
    if text.endswith("\\"):
        return f"it holds the path of a program, not of a folder; write begin with '{text}'"
    if not re.match(r"[a-z]:|\\|%", text):
        return f"the full path is compared; write end with '\\{text}'"
    return None
