"""What a recording is asked to do, by a program rather than by a command line."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from procwire.errors import UsageError
from procwire.recorder.settings import RecordingSettings, Target, recording_settings


def test_quantities_are_numbers_or_texts() -> None:
    texts = recording_settings(
        output="a", duration="1m", interval="500ms", udp_idle="2s", rotate_size="1MB", rotate_every="1h"
    )
    numbers = recording_settings(
        output=Path("a"), duration=60, interval=0.5, udp_idle=2.0, rotate_size=10**6, rotate_every=3_600
    )
    assert texts == numbers


def test_one_value_stands_for_a_sequence_of_one() -> None:
    one = recording_settings(to="csv", output="a", where="dst_port = 1", detect="rules")
    assert one == recording_settings(to=["csv"], output=["a"], where=["dst_port = 1"], detect=[Path("rules")])


def test_defaults_are_those_of_the_settings_themselves() -> None:
    assert recording_settings(output="a") == RecordingSettings(targets=(Target("ndjson", Path("a"), False),))


def test_a_lake_alone_is_enough(tmp_path: Path) -> None:
    settings = recording_settings(lake=tmp_path)
    assert (settings.targets, settings.lake) == ((Target("lake", None, False),), str(tmp_path))


def test_settings_reach_another_process() -> None:
    settings = recording_settings(output=["a.csv", "b.xml"], config="c.xml", processes=("curl",))
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"output": "a", "names": "mine"}, "found names 'mine', expected one of ossem"),
        ({"output": "a", "protocol": "udp"}, "found protocol 'udp', expected one of all, tcp"),
        ({"output": "a", "detect": "r", "level": "all"}, "found level 'all', expected one of informational"),
        ({"output": "a", "keep": -1}, "found keep -1, expected a number from 0 on"),
        ({"output": "a", "buffer_mb": 0}, "found buffer_mb 0"),
        ({"output": "a", "rotate_size": 0}, "found rotate_size 0"),
        ({"output": "a", "interval": 0.0}, "expected a duration"),
        ({"to": ["lake", "lake"]}, "found --to lake twice"),
    ],
)
def test_values_that_no_option_has_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        recording_settings(**options)
