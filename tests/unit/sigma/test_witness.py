"""Events that are made up to match a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.sigma import SigmaStream, load
from procwire.sigma.analysis.witness import witnesses
from sigma_cases import document


@pytest.mark.parametrize(
    "detection",
    [
        "Image|endswith: '\\a.exe'\nDestinationIp|cidr: 10.0.0.0/8",
        "a:\n  DestinationIp|cidr: 'fc00::/7'\nb:\n  Initiated: 'false'\ncondition: a and b",
        "a:\n  DestinationPort|gte: 1024\nb:\n  DestinationPort: 2000\ncondition: a and not b",
        "DestinationHostname|contains: x?z",
        "User: null\nImage|startswith: 'C:\\Users\\'",
        "a:\n  DestinationPort: 1\nb:\n  DestinationPort: 2\ncondition: 1 of *",
    ],
)
def test_made_up_events_match(tmp_path: Path, detection: str) -> None:
    """What is said of a configuration is only as good as they are."""
    path = tmp_path / "rule.yml"
    path.write_text(document(detection))
    rules = load([path])
    events = witnesses(rules.rules[0])
    assert events.num_rows
    assert SigmaStream(rules).matches(events).num_rows == events.num_rows


def test_what_cannot_be_made_up_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(document("Image|re: '^a{3}$'"))
    assert witnesses(load([path]).rules[0]).num_rows == 0
