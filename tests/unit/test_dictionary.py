"""docs/dictionary.md is the dictionary of today, and the verb prints the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_line import invoke
from procwire.dictionary import MARKERS, markdown, renewed
from procwire.event import DERIVED, FIELDS, LIVE_FIELDS, NAMES

if TYPE_CHECKING:
    from procwire.choices import Names

ALL_FIELDS = FIELDS + LIVE_FIELDS + DERIVED
DOCUMENT = Path(__file__).parents[2] / "docs" / "dictionary.md"


def printed(*arguments: str) -> str:
    result = invoke("dictionary", *arguments)
    assert result.exit_code == 0
    return result.stdout


def test_document_is_current() -> None:
    """If not: python -m procwire.dictionary docs/dictionary.md"""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(text.count(marker) == 1 for marker in MARKERS)
    assert text == renewed(text)


def test_markdown_has_a_row_for_every_field() -> None:
    rows = markdown().splitlines()
    assert len(rows) == 2 + len(ALL_FIELDS)
    assert {row.count(" | ") for row in rows} == {5}
    assert printed("--to", "markdown") == markdown()


@pytest.mark.parametrize("names", NAMES)
def test_json_names_every_field_in_the_vocabulary(names: Names) -> None:
    found = json.loads(printed("--to", "json", "--names", names))
    assert [entry["name"] for entry in found] == [field.named(names) for field in ALL_FIELDS]
    assert {entry["name"] for entry in found if entry["group"] == "derived"} == {
        entry["name"] for entry in found if "sql" in entry
    }


@pytest.mark.parametrize("names", NAMES)
def test_table_shows_every_field(names: Names) -> None:
    text = printed("--names", names)
    for field in ALL_FIELDS:
        assert field.named(names) in text
    assert "derived" in text
