"""All that is installed or built in is pinned, comes from its registry with a checksum, and may be distributed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.lock")}
LOCK = LOCKS["all"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ACCEPTED = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))["licenses"]["allow"]
"""Of Rust's crates, as SPDX has them."""
OURS = {"procwire-core", "procwire-python", "procwire-sensor", "procwire-fuzz"}
PERMISSIVE = re.compile(r"\b(MIT|Apache|BSD|ISC|PSF-2\.0)\b")
OTHER_LICENCES = {
    "pysigma": "LGPL-2.1-only: imported as it is, and to be replaced by whoever likes",
    "certifi": "MPL-2.0: a list of certificates, unchanged",
}


def test_crates_come_from_one_registry_under_a_checksum() -> None:
    """A crate from a folder has no source, one from a repository has `git+...`, and neither has a checksum."""
    locks = [tomllib.loads((ROOT / lock).read_text(encoding="utf-8")) for lock in ("Cargo.lock", "fuzz/Cargo.lock")]
    others = [package for lock in locks for package in lock["package"] if package["name"] not in OURS]
    assert len(others) > 100
    assert all(re.fullmatch(r"[0-9a-f]{64}", package["checksum"]) for package in others)
    [source] = {package["source"] for package in others}
    assert re.fullmatch(r"registry\+https://[\w./-]+", source)


def test_python_packages_are_pinned_under_hashes() -> None:
    """Nothing else may stand there: no address, no option, no package without a hash."""
    entry = re.compile(
        r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[0-9][^\s;]*( ; [^\\\n]+)?( \\\n {4}--hash=sha256:[0-9a-f]{64})+\n"
    )
    assert set(LOCKS) == {"all", "run", "build"}
    assert {name: entry.sub("", lock) for name, lock in LOCKS.items()} == dict.fromkeys(LOCKS, "")
    assert len(entry.findall(LOCK)) > 60


def test_what_users_install_is_what_is_tested() -> None:
    """Each version and hash of the smaller locks stands in the lock of everything, too."""
    lines = {name: set(lock.splitlines()) - {""} for name, lock in LOCKS.items()}
    hashes = {name: {line.rstrip(" \\") for line in some if "--hash" in line} for name, some in lines.items()}
    versions = {name: set(re.findall(r"^[\w.-]+==[^\s;]+", lock, re.M)) for name, lock in LOCKS.items()}
    for name in ("run", "build"):
        assert hashes[name] <= hashes["all"]
        assert versions[name] <= versions["all"]


def test_users_install_no_tool_of_developers() -> None:
    names = set(re.findall(r"^([\w.-]+)==", LOCKS["run"], re.M))
    assert {"duckdb", "deltalake", "pysigma"} <= names
    assert not names & {"ziglang", "maturin", "pytest", "mypy", "ruff", "polars", "pandas", "pyspark"}


def test_the_wheel_asks_for_ranges() -> None:
    """With pins it could not be installed beside a package that requires another pyarrow."""
    project = PROJECT["project"]
    asked = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    for requirement in map(Requirement, asked):
        operators = {one.operator for one in requirement.specifier}
        assert requirement.name == "procwire" or ">=" in operators, requirement
        assert "==" not in operators, requirement


def test_the_lock_has_what_the_project_asks_for() -> None:
    locked = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.M)}
    project = PROJECT["project"]
    groups = (*project["optional-dependencies"].values(), *PROJECT["dependency-groups"].values())
    asked = [one for one in (*project["dependencies"], *chain.from_iterable(groups)) if isinstance(one, str)]
    assert len(asked) > 20
    for requirement in map(Requirement, asked):
        if requirement.name == "procwire":
            continue
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def may_be_used(expression: str) -> bool:
    """Return whether one choice of an SPDX expression has only accepted licences; Cargo's old `/` is an OR."""
    text = expression.replace("/", " OR ")
    parts = re.split(r" AND (?![^(]*\))", text)
    choices = [[one.strip(" ()") for one in part.strip("() ").split(" OR ")] for part in parts]
    return any(all(licence in ACCEPTED for licence in choice) for choice in product(*choices))


def test_expressions_are_read_as_spdx_means_them() -> None:
    assert may_be_used("MIT")
    assert may_be_used("LGPL-2.1-or-later OR MIT")
    assert may_be_used("(Apache-2.0 OR GPL-3.0-only) AND BSD-3-Clause")
    assert not may_be_used("MIT AND GPL-3.0-only")
    assert not may_be_used("(MIT OR Apache-2.0) AND GPL-3.0-only")


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo, to ask crates for their licence")
def test_crates_may_be_distributed() -> None:
    host = re.search(r"host: (.*)", _output("rustc", "-vV"))
    assert host is not None
    metadata: dict[str, Any] = json.loads(
        _output("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={host[1]}")
    )
    licences = {package["name"]: package["license"] or "none" for package in metadata["packages"]}
    assert len(licences) > 50
    assert {name: licence for name, licence in licences.items() if not may_be_used(licence)} == {}


def test_python_packages_may_be_distributed() -> None:
    others = {name for name, one in _needed("procwire", {}).items() if not PERMISSIVE.search(_licence(one))}
    assert others == set(OTHER_LICENCES)


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _needed(
    name: str, found: dict[str, Distribution], extras: tuple[str, ...] = ("sql", "lake", "sigma", "spark")
) -> dict[str, Distribution]:
    """Return a package and all its dependencies, with every extra of procwire."""
    if (key := canonicalize_name(name)) in found:
        return found
    found[key] = distribution(name)
    for requirement in map(Requirement, found[key].requires or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": one}) for one in ("", *extras)):
            _needed(requirement.name, found, tuple(requirement.extras))
    return found


def _licence(package: Distribution) -> str:
    return " ".join(_licence_texts(package))


def _licence_texts(package: Distribution) -> Iterator[str]:
    metadata = package.metadata
    yield from (metadata[key] for key in ("License-Expression", "License") if key in metadata)
    yield from (text for text in metadata.get_all("Classifier") or () if text.startswith("License ::"))
