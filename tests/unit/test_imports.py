"""Which package may import which: the layers of docs/architecture.md, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import procwire

PACKAGE = Path(__file__).parents[2] / "python" / "procwire"

# From the front ends down: each may import from a later row, never from its own.
LEVELS = (
    {"__main__"},
    {"cli", "console"},
    # The compositions, without a front end: what Python users call, and below it a recording.
    {"api", "dictionary"},
    {"recorder"},
    {"spark", "hunts", "sigma"},
    {"configurations", "mapping", "pipeline", "query", "targets"},
    {"lake", "select"},
    {"sources", "sysmon", "enrich", "sinks", "vocabularies"},
    {"files"},
    {"bounded", "engine", "event", "guid", "ledger", "matching", "period", "units"},
    {"extras", "fields"},
    {"choices", "errors", "netlink", "paths", "plain", "retry", "signals", "version", "words"},
)
FRONT_ENDS = LEVELS[0] | LEVELS[1]
# Its only user; and the version for `procwire --version`, which imports no reader.
CORE_USERS = {"sources", "cli/version.py"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return the names of procwire's packages that a module imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.split(".")[0] == "procwire" and "." in name}
    return found


def level(name: str) -> int:
    [found] = [number for number, rooms in enumerate(LEVELS) if name in rooms]
    return found


def test_every_room_has_its_level() -> None:
    rooms = {room(path) for path in modules()} - {"__init__"}
    assert rooms <= set().union(*LEVELS)
    assert {"sources", "event", "cli", "api"} <= rooms


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    """No module imports one above it, nor a sibling package; only `sources` touches the core."""
    own = room(path)
    for other in imports(path) - {own}:
        if other == "_core":
            assert {own, str(path.relative_to(PACKAGE))} & CORE_USERS
        elif own == "__init__":
            assert other in set().union(*LEVELS) - FRONT_ENDS
        else:
            assert level(own) < level(other), f"{own} imports {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_a_front_end(path: Path) -> None:
    """Python users of procwire import neither the command line nor the console."""
    if room(path) not in FRONT_ENDS:
        assert not imports(path) & FRONT_ENDS


@pytest.mark.parametrize("module", ["procwire.query", "procwire.hunts", "procwire.sigma", "procwire.api"])
def test_the_packages_work_without_the_command_line(module: str) -> None:
    """In a new process that imports everything that a package exports."""
    code = f"""
import sys, importlib
package = importlib.import_module({module!r})
for name in package.__all__:
    getattr(package, name)
assert not [name for name in sys.modules if name.split(".")[:2] == ["procwire", "cli"] or name == "typer"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_kinds_of_rules_share_only_what_lies_below_both() -> None:
    """Sigma rules need nothing of Sysmon's configurations, nor the other way round: what they share is `matching`."""
    # Whether a rule sees anything under a configuration is a question about both.
    both = PACKAGE / "sigma" / "analysis" / "check.py"
    for own, other in (("sigma", "sysmon"), ("sysmon", "sigma"), ("matching", "sysmon"), ("matching", "sigma")):
        found = [path for path in modules() if path != both and room(path) == own and other in imports(path)]
        assert found == [], f"{own} imports {other}"


def test_imports_are_absolute() -> None:
    """Relative ones would hide which package they import from."""
    for path in modules():
        relative = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom) and node.level
        ]
        assert relative == [], path


def test_public_api_is_what_it_says() -> None:
    expected = [
        "SCHEMA",
        "Detection",
        "HuntResult",
        "InputError",
        "Lake",
        "Ledger",
        "ProcessGuid",
        "ProcwireError",
        "RecordingResult",
        "Scan",
        "UnpackLimits",
        "UsageError",
        "__version__",
        "connect",
        "decode_guid",
        "detect",
        "export",
        "hunt",
        "read",
        "read_into_lake",
        "record",
        "scan",
    ]
    assert procwire.__all__ == expected
    assert dir(procwire) == sorted(expected)
    for name in expected:
        assert getattr(procwire, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        procwire.nothing  # noqa: B018


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_exports_are_sorted_and_exist(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            defined |= {alias.asname or alias.name for alias in node.names}
    [exports] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets)
    ] or [[]]
    assert set(exports) <= defined
    assert len(set(exports)) == len(exports)
