"""Which recordings are written as lines, and that these do without what takes memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from procwire.errors import UsageError
from procwire.recorder.images import logged_images
from procwire.recorder.line_setup import kept_fields
from procwire.recorder.settings import RecordingSettings, Target

FILE = Path("connections")


def settings(way: str = "ndjson", path: Path | None = FILE, *, targets: int = 1, **options: Any) -> RecordingSettings:
    return RecordingSettings(targets=(Target(way, path, False),) * targets, **options)


@pytest.mark.parametrize("way", ["ndjson", "csv", "xml", "syslog"])
def test_text_of_everything_is_written_as_lines(way: str) -> None:
    kept = kept_fields(settings(way))
    assert kept is not None
    assert {field.group for field in kept} == {"event", "system", "live"}
    assert kept_fields(settings(way, None)) == kept


def test_columns_are_those_asked_for() -> None:
    kept = kept_fields(settings(columns=["SourcePort", "Image"], names="sysmon"))
    assert [field.name for field in kept or ()] == ["src_port", "process_name"]


@pytest.mark.parametrize(
    "options",
    [
        {"config": Path("sysmonconfig.xml"), "keep_unlogged": True},
        {"detect": (Path("rules"),)},
        {"sensor": "poll"},
        {"targets": 2},
        {"columns": ["process_base_name"]},
        {"columns": ["src_ip", "src_ip"]},
        {"path": Path("/dev/null")},
        *({"way": way} for way in ("table", "csv-safe", "parquet", "arrow", "lake")),
    ],
    ids=str,
)
def test_what_lines_have_no_place_for_is_recorded_by_batches(options: dict[str, Any]) -> None:
    assert kept_fields(settings(**options)) is None


@pytest.mark.parametrize("options", [{"where": ["true"]}, {"config": Path("sysmonconfig.xml")}], ids=str)
@pytest.mark.parametrize("images", [None, ["curl"]])
def test_rows_that_are_chosen_are_written_as_lines(options: dict[str, Any], images: list[str] | None) -> None:
    assert kept_fields(settings(**options, images=images)) == kept_fields(settings())


def test_processes_are_chosen_by_their_images() -> None:
    images = ["curl", "/usr/bin/ssh"]
    assert kept_fields(settings(images=images)) is not None
    logs = logged_images(images)
    assert [logs(image) for image in ("/bin/curl", "/opt/CURL", "/bin/xcurl", "/usr/bin/ssh", "/bin/ssh", None)] == [
        True, True, False, True, False, False
    ]  # fmt: skip
    assert logged_images([])(None)


def test_a_column_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'src_ip'"):
        kept_fields(settings(columns=["src_ipp"]))


def test_lines_are_recorded_without_arrow() -> None:
    """Nor what it brings along, which would take more memory than the recorder itself."""
    code = """
import sys
import procwire.cli.app, procwire.cli.record, procwire.cli.output, procwire.recorder.session
from procwire.recorder.imports import import_all
from procwire.recorder.settings import recording_settings
import_all(recording_settings(output="a.ndjson"), lines=True)
import procwire.recorder.status, procwire.recorder.record_ids, procwire.sources.boot
print(*{"pyarrow", "pandas", "numpy", "duckdb", "rich"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_rows_are_chosen_without_imports() -> None:
    """The account that records may not be allowed to read where Python's modules are."""
    code = """
import sys
from pathlib import Path
import pyarrow as pa
from procwire.recorder.imports import import_all
from procwire.recorder.settings import recording_settings
from procwire.event import LIVE_SCHEMA
from procwire.recorder.predicates import Where
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.parse import load

class Unreadable:
    def find_spec(self, name, path=None, target=None):
        raise ImportError(name)

where = Where(["dst_port % 2 = 0 AND process_name IS NULL"], "ossem")
rules = ConfigFilter(load(Path("examples/configs/server-linux.xml")))
import_all(recording_settings(output="a.ndjson", where="dst_port = 1", config="a"), lines=True)
batch = pa.RecordBatch.from_pylist([{"dst_port": port} for port in range(5_000)], schema=LIVE_SCHEMA)
sys.meta_path.insert(0, Unreadable())
from procwire.recorder.deciding import Decisions
decisions = Decisions(lambda: rules, where)
decisions.asked()
print(sum(decisions.keeps(batch)), len(decisions.rules(batch)), decisions.undecided)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2500 5000 0\n"


def test_what_goes_wrong_in_an_answer_ends_the_recording() -> None:
    from procwire.recorder.deciding import Decisions

    class Broken:
        columns: tuple[str, ...] = ()
        undecided = 0

        def mask(self, batch: object) -> object:
            return batch

    decisions = Decisions(None, Broken())  # type: ignore[arg-type]
    assert decisions.undecided == 0
    with pytest.raises(TypeError):
        decisions.keeps(None)
    with pytest.raises(TypeError):
        _ = decisions.undecided
