"""The closed vocabularies are what they name, and their types say the same."""

from __future__ import annotations

import ast
from pathlib import Path

from procwire import choices
from procwire.event import EVENTS


def test_types_have_the_words_of_the_lists() -> None:
    """Type checkers need them spelled out; they stand beside the lists."""
    tree = ast.parse(Path(choices.__file__).read_text())
    spelt = {
        node.targets[0].id: ast.literal_eval(node.value.slice)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Subscript)
    }
    lists = {
        node.annotation.slice.elts[0].id: getattr(choices, node.target.id)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.annotation, ast.Subscript)
        and isinstance(node.annotation.slice, ast.Tuple)
        and isinstance(node.annotation.slice.elts[0], ast.Name)
    }
    assert spelt == lists
    assert len(spelt) == 9


def test_events_are_those_of_the_dictionary() -> None:
    assert tuple(event.name for event in EVENTS) == choices.EVENT_NAMES
    assert tuple(event.table for event in EVENTS) == choices.EVENT_TABLES
