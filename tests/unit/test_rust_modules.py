"""Modules of the Rust crates import in one direction only: no file, and no folder, imports one that imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CRATES = Path(__file__).parents[2] / "crates"
Module = tuple[str, ...]
"""The parts of its path within the crate; `()` is lib.rs."""


def modules(source: Path) -> dict[Module, str]:
    """Return the code of each module, without comments and without its tests."""
    found = {}
    for path in source.rglob("*.rs"):
        parts = path.relative_to(source).with_suffix("").parts
        name = parts[:-1] if parts[-1] in ("mod", "lib") else parts
        text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
        found[name] = re.split(r"#\[cfg\((?:all\()?test\b[^\n]*\]\s*(?:#[^\n]*\s*)*(?:pub\S* )?mod tests", text)[0]
    return found


def paths(code: str) -> Iterator[Module]:
    """Yield each path that begins with `crate`, `self` or `super`, with the braces of `use` written out."""
    for match in re.finditer(r"\b(?:crate|self|super)::[\w:]*(\{[^;]*?\}(?=;))?", code, re.S):
        yield from _spread(re.sub(r"\s+", "", match[0]))


def _spread(text: str) -> Iterator[Module]:
    head, brace, rest = text.partition("{")
    front = tuple(part for part in head.split("::") if part)
    if not brace:
        yield front
        return
    depth, start, inner = 0, 0, rest.removesuffix("}")
    for at, character in enumerate(inner + ","):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            for part in _spread(inner[start:at]):
                yield (*front, *(() if part == ("self",) else part))
            start = at + 1


def imports(known: Mapping[Module, str]) -> dict[Module, set[Module]]:
    """Return the modules that each imports; a module that only declares another does not import it."""
    graph: dict[Module, set[Module]] = {}
    for name, code in known.items():
        graph[name] = set()
        for path in paths(code):
            target = _absolute(name, path)
            while target not in known:
                target = target[:-1]
            if target not in (name, ()) or (target == () and name != () and path[0] == "crate"):
                graph[name].add(target)
        # Children that are imported by their bare name.
        for child in [child for child in known if child[:-1] == name and child != ()]:
            if re.search(rf"\b(?:use|pub use) {child[-1]}::|[^:\w]{child[-1]}::\w", code):
                graph[name].add(child)
    return graph


def _absolute(name: Module, path: Module) -> Module:
    base: Module = () if path[0] == "crate" else name
    for part in path:
        if part == "super":
            base = base[:-1]
        elif part not in ("crate", "self"):
            base = (*base, part)
    return base


def circle(graph: Mapping[Module, set[Module]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return ["::".join(name) or "lib" for name in error.args[1]]
    return []


@pytest.mark.parametrize("crate", ["core", "sensor", "python"])
def test_no_module_imports_one_that_imports_it(crate: str) -> None:
    assert circle(imports(modules(CRATES / crate / "src"))) == []


@pytest.mark.parametrize("crate", ["core", "sensor"])
def test_no_folder_imports_one_that_imports_it(crate: str) -> None:
    folders: dict[Module, set[Module]] = {}
    for name, others in imports(modules(CRATES / crate / "src")).items():
        folders.setdefault(name[:1], set()).update(other[:1] for other in others if other[:1] != name[:1])
    # lib.rs exports what the others define.
    assert () not in set().union(*folders.values())
    assert circle(folders) == []


def test_a_circle_is_found() -> None:
    known: dict[Module, str] = {
        (): "pub mod a; pub mod b; pub use b::Thing;",
        ("a",): "use crate::b::{self, Thing};",
        ("b",): "mod c; use c::Part;",
        ("b", "c"): "fn f() { crate::a::f() }",
    }
    assert imports(known)["b", "c"] == {("a",)}
    assert set(circle(imports(known))) == {"a", "b", "b::c"}


def test_paths_in_nested_braces_are_read() -> None:
    code = "use crate::{x::{Y, z::W}, v};\nuse super::k;"
    assert set(paths(code)) == {("crate", "x", "Y"), ("crate", "x", "z", "W"), ("crate", "v"), ("super", "k")}
