"""No module imports itself through others, also not within functions: each can be read, and moved, by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import procwire

PACKAGE = Path(procwire.__file__).parent


def name_of(path: Path) -> str:
    """Return the dotted name of a module; of an `__init__.py` that of its package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports() -> dict[str, set[str]]:
    """Return each module of procwire with the modules of procwire that it imports.

    Imports within functions and those for type checkers count, too. `from package import module` imports the module,
    and nothing that the package's own `__init__.py` defines.
    """
    paths = {name_of(path): path for path in PACKAGE.rglob("*.py")}
    known = {*paths, "procwire._core"}
    return {name: set(imported(path, known)) - {name} for name, path in paths.items()}


def imported(path: Path, known: Set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from known & {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in known:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from known & names
            if names - known:
                yield node.module


def cycles(graph: Mapping[str, Set[str]]) -> set[frozenset[str]]:
    """Return the groups of modules that import each other, directly or through others of the group."""
    reached = {name: reachable(graph, name) for name in graph}
    groups = {name: frozenset(other for other in reached[name] if name in reached.get(other, ())) for name in graph}
    return {group for name, group in groups.items() if name in group}


def reachable(graph: Mapping[str, Set[str]], start: str) -> set[str]:
    """Return what a module imports, directly or through others; itself only if it is in a cycle."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = graph.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def test_modules_do_not_import_themselves_by_way_of_others() -> None:
    assert cycles(imports()) == set()


def test_cycles_are_found() -> None:
    """Cycles of any length; modules that only lead to a cycle, or follow one, are not part of it."""
    graph = {"a": {"b"}, "b": {"c", "x"}, "c": {"a"}, "d": {"a"}, "x": {"y"}, "y": {"x"}, "z": {"unknown"}}
    assert cycles(graph) == {frozenset("abc"), frozenset("xy")}


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nimport p.a\nfrom p import b\nif TYPE_CHECKING:\n    from p.c import name\n"
        "def function():\n    from p import other\n"
    )
    assert set(imported(path, {"p", "p.a", "p.b", "p.c"})) == {"p", "p.a", "p.b", "p.c"}
