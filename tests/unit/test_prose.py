"""The words of code, messages and documents: plain modern English, without archaic ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Python's own name of a parameter of seek(), which callers may pass by keyword.
_SEEK = re.compile(r"\bwhence(?=: int|\])")
# Names of several words, too: `_told_of`. Case does not matter.
_ARCHAIC = re.compile(
    r"(?<![a-z])(told|reckon\w*|anew|whom|sought|befell|hush\w*|thereby|whence|the like|save that)(?![a-z])", re.I
)
_PLACES = {
    "python/procwire": ("*.py", "*.sql"),
    "benchmarks": ("*.py", "*.md"),
    "docs": ("*.md",),
    "examples": ("*.md", "*.py"),
    "packaging": ("*",),
    "tests/unit": ("*.py",),
    ".": ("*.md", "Makefile"),
}


# Comments only: identifiers of C and Rust have words of their own.
_COMMENTS = re.compile(r"//.*")
_COMMENTED = ("crates/core/src", "crates/sensor/src")


def _files(place: str) -> list[Path]:
    folder = ROOT / place
    found = (path for pattern in _PLACES[place] for path in (folder.glob if place == "." else folder.rglob)(pattern))
    return sorted(path for path in found if path.is_file() and path != Path(__file__))


@pytest.mark.parametrize("place", _PLACES)
def test_no_archaic_word_is_used(place: str) -> None:
    files = _files(place)
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in _ARCHAIC.finditer(_SEEK.sub("", line))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", _COMMENTED)
def test_no_archaic_word_is_used_in_comments_of_rust(place: str) -> None:
    files = sorted((ROOT / place).rglob("*.rs"))
    assert files
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for comment in _COMMENTS.findall(line)
        for match in _ARCHAIC.finditer(comment)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["It told of it.", "_told_of()", "TOLD = 1", "Save that", "whence it came"])
def test_archaic_words_are_found_in_texts_and_names(text: str) -> None:
    assert _ARCHAIC.search(_SEEK.sub("", text))


@pytest.mark.parametrize("text", ["untold", "def seek(self, offset: int, whence: int = 0)", "start[whence]", "likely"])
def test_other_words_are_not(text: str) -> None:
    assert not _ARCHAIC.search(_SEEK.sub("", text))
