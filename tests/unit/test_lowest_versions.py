"""What `make test-lowest` installs: every dependency of the wheel, at the lower end of its range."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

WHEEL_TESTS = Path(__file__).parents[1] / "wheel"


@pytest.fixture
def try_lowest(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(WHEEL_TESTS))
    import try_lowest

    yield try_lowest
    for name in ("try_lowest", "try_wheel"):
        sys.modules.pop(name, None)


def wheel(folder: Path, *requirements: str) -> Path:
    path = folder / "procwire-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        lines = ["Metadata-Version: 2.4", "Name: procwire", *(f"Requires-Dist: {text}" for text in requirements)]
        archive.writestr("procwire-1.dist-info/METADATA", "\n".join(lines))
    return path


def test_each_range_becomes_its_lower_end(try_lowest: ModuleType, tmp_path: Path) -> None:
    made = wheel(
        tmp_path,
        "pyarrow>=21",
        "dnspython>=2.6,<3",
        "procwire[sql] ; extra == 'lake'",
        "pytz<2030,>=2023.3 ; extra == 'sql'",
        "pyspark>=4.0,<5 ; extra == 'spark'",
    )
    assert try_lowest.lowest(made) == ["dnspython==2.6", "pyarrow==21", "pytz==2023.3"]


@pytest.mark.parametrize("requirement", ["pyarrow", "pyarrow<30", "pyarrow<30 ; extra == 'sql'"])
def test_a_dependency_without_a_lower_end_is_an_error(try_lowest: ModuleType, tmp_path: Path, requirement: str) -> None:
    with pytest.raises(AssertionError, match="expected a requirement with a lower bound"):
        try_lowest.lowest(wheel(tmp_path, requirement))
