"""Packages of an extra that are not installed: the error names the extra."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

import procwire
from procwire.engine import connect
from procwire.errors import UsageError
from procwire.extras import _EXTRAS, named_extras


@pytest.mark.parametrize("module", sorted(_EXTRAS))
def test_a_missing_package_of_an_extra_is_an_error_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(UsageError, match=rf"{module}, .*: pip install 'procwire\[{_EXTRAS[module]}\]'$"),
        named_extras(),
    ):
        import_module(module)


def test_any_other_missing_module_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"), named_extras():
        import_module("nothing_of_this_name")


def test_sql_without_duckdb_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"procwire\[sql\]"):
        connect()


def test_a_public_name_whose_packages_are_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    monkeypatch.setitem(procwire._HOMES, "Lake", "lake.lake")
    for name in [name for name in sys.modules if name.startswith("procwire.lake.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"procwire\[lake\]"):
        _ = procwire.Lake


def test_every_extra_is_one_of_the_project() -> None:
    requirements = map(Requirement, requires("procwire") or ())
    declared = {str(one.marker).rpartition("== ")[2].strip("\"'") for one in requirements if one.marker is not None}
    assert set(_EXTRAS.values()) <= declared
