"""Read untrusted YAML: one document at a time, within limits, every mistake with its line.

PyYAML builds whatever a document asks for, and raises whatever its conversions raise (ValueError for 2024-13-45,
KeyError for `!!bool no way`). Here each is a YAMLError with a place, and what would grow without bound is refused
first: nodes, nesting, aliases that multiply (`&a [*b, *b]`), and structures that contain themselves. Only what looks
like a date and is none is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["MOST_BYTES", "MOST_NODES", "Document", "documents_of", "problem_of"]

MOST_BYTES = 32 << 20
"""The greatest size of a file."""
MOST_NODES = 250_000
"""The most keys, values, lists and mappings of a document; repetitions by aliases count each time."""
_DEEPEST = 100
_LONGEST_SHOWN = 40
_DATE = re.compile(r"\d{4}-\d")
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What PyYAML's conversions raise for a text that is not a number, flag, time or similar.
_NOT_OF_ITS_TYPE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

Document = tuple[int, Any]
"""The line on which a document begins, from 1, and its content; or the YAMLError that prevents building it."""


class _Loader(_BASE):  # type: ignore[misc]
    """Extend PyYAML's safe loader with limits while composing a document, and one kind of error while building it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nodes = self.depth = 0

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        """Count a node: PyYAML calls this for each, before its children. Path resolvers, its purpose, are unused."""
        del index
        self.nodes += 1
        self.depth += 1
        mark = None if parent is None else parent.start_mark
        if self.nodes > MOST_NODES:
            raise ComposerError(None, None, _too_many(), mark)
        if self.depth > _DEEPEST:
            raise ComposerError(None, None, f"found more than {_DEEPEST} levels, one in the other", mark)

    def ascend_resolver(self) -> None:
        """Leave the node that `descend_resolver` entered."""
        self.depth -= 1

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        """Build a node's value. Raises ConstructorError, with its place, for whatever cannot be built."""
        try:
            return super().construct_object(node, deep)
        except _NOT_OF_ITS_TYPE as error:
            if isinstance(node, ScalarNode) and _DATE.match(node.value) and node.tag == "tag:yaml.org,2002:timestamp":
                # 2024-13-45 looks like a date, and is text: what a rule says of its own date is not worth the rule.
                return node.value
            kind = node.tag.rpartition(":")[2]
            found = _shown(node.value) if isinstance(node, ScalarNode) else "a list or mapping"
            text = f"found {found}, expected a value of type {kind}"
            raise ConstructorError(None, None, text, node.start_mark) from error


def documents_of(text: str) -> Iterator[Document]:
    """Yield each document of a file. Raises YAMLError at a syntax error, after which nothing can be read."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            loader.nodes = loader.depth = 0
            node = loader.get_node()
            try:
                _check(node)
                content: Any = loader.construct_document(node)
            except yaml.YAMLError as error:
                content = error
            except RecursionError:
                content = ConstructorError(None, None, "found values nested too deeply", node.start_mark)
            yield node.start_mark.line + 1, content
    finally:
        loader.dispose()


def problem_of(error: yaml.YAMLError) -> tuple[int | None, str]:
    """Return the line of an error, from 1, and what it says, on one line."""
    mark = getattr(error, "problem_mark", None)
    text = " ".join(str(getattr(error, "problem", None) or error).split())
    return None if mark is None else mark.line + 1, text


def _check(root: Node) -> None:
    """Raise an error for a node that contains itself, aliases that exceed the limit, and repeated keys."""
    sizes: dict[Node, int] = {}
    entered: set[Node] = set()
    ahead: list[tuple[Node, bool]] = [(root, False)]
    while ahead:
        node, is_done = ahead.pop()
        if is_done:
            sizes[node] = 1 + sum(sizes[child] for child in _children(node))
            entered.discard(node)
            if sizes[node] > MOST_NODES:
                raise ComposerError(None, None, _too_many(), node.start_mark)
        elif node in entered:
            raise ComposerError(None, None, "found an alias of what it stands in", node.start_mark)
        elif node not in sizes:
            _check_keys(node)
            entered.add(node)
            ahead.append((node, True))
            ahead += [(child, False) for child in _children(node)]


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, SequenceNode) else []


def _check_keys(node: Node) -> None:
    if not isinstance(node, MappingNode):
        return
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if (key.tag, key.value) in seen:
                text = f"found key {_shown(key.value)} twice in a mapping, expected it once"
                raise ConstructorError(None, None, text, key.start_mark)
            seen.add((key.tag, key.value))


def _too_many() -> str:
    return f"found more than {MOST_NODES:,} keys and values in a document, expected {MOST_NODES:,} at most"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
