"""`-n PROCESS,...` as rules: of its own, and in a configuration."""

from __future__ import annotations

import pytest
from fakes import live

from procwire.errors import ConfigurationError
from procwire.recorder.images import with_images
from procwire.sysmon.config_filter import ConfigFilter
from procwire.sysmon.model import Configuration
from procwire.sysmon.parse import parse

PATHS = ["/usr/bin/curl", "/usr/bin/wget", "/opt/CURL", "/usr/bin/curl2", None, "/usr/bin/Ärger", "curl"]
ROWS = live(*({"process_name": path, "dst_port": port} for port, path in enumerate(PATHS)))
NOTHING = parse(b'<Sysmon schemaversion="4.90"/>')


def configuration(rules: str) -> Configuration:
    return parse(f'<Sysmon schemaversion="4.90"><EventFiltering>\n{rules}\n</EventFiltering></Sysmon>'.encode())


def kept(applied: Configuration) -> list[int]:
    return [row["dst_port"] for row in ConfigFilter(applied)(ROWS).to_pylist()]


@pytest.mark.parametrize(
    ("names", "ports"),
    [
        (["curl"], [0, 2, 6]),
        (["CURL", "wget"], [0, 1, 2, 6]),
        (["/usr/bin/curl"], [0]),
        (["/USR/bin/curl"], [0]),
        (["bin/curl"], []),
        (["ärger"], [5]),
        (["ÄRGER"], [5]),
        (["nothing"], []),
        ([], [0, 1, 2, 3, 4, 5, 6]),
    ],
)  # fmt: skip
def test_image_is_the_base_name_or_the_whole_path(names: list[str], ports: list[int]) -> None:
    """Case does not matter, and a name with a path is compared in full; an unknown process is nobody's."""
    assert kept(with_images(NOTHING, names)) == ports


def test_batch_that_is_kept_whole_has_no_rule() -> None:
    assert set(ConfigFilter(with_images(NOTHING, []))(ROWS).column("rule_name").to_pylist()) == {None}


def test_filters_stand_first_in_the_first_element_that_includes() -> None:
    """Though the last one is asked first; in their name they are its RuleGroup's."""
    given = configuration(
        '<RuleGroup name="one" groupRelation="or"><NetworkConnect onmatch="include">'
        '<DestinationPort name="own">5</DestinationPort></NetworkConnect></RuleGroup>'
        '<ProcessCreate onmatch="exclude"/>'
        '<NetworkConnect onmatch="include"><DestinationPort>3</DestinationPort></NetworkConnect>'
    )
    added = with_images(given, ["curl"])
    assert [(f.condition, f.value, f.name) for f in added.network_connect[0].filters] == [
        ("image", "curl", "one"),
        ("end with", "/curl", "one"),
        ("is", "5", "own"),
    ]
    assert added.network_connect[1] is given.network_connect[1]
    assert [element.event for element in added.elements] == ["NetworkConnect", "ProcessCreate", "NetworkConnect"]
    found = ConfigFilter(added)(ROWS)
    assert found.column("dst_port").to_pylist() == [0, 2, 3, 5, 6]
    assert found.column("rule_name").to_pylist() == ["one", "one", None, "own", "one"]


def test_without_a_name_all_is_logged_whatever_the_rules_say() -> None:
    given = configuration(
        '<NetworkConnect onmatch="exclude"><DestinationPort condition="contains"></DestinationPort></NetworkConnect>'
    )
    assert kept(given) == []
    assert kept(with_images(given, [])) == list(range(len(PATHS)))


def test_nothing_can_be_added_beside_an_element_that_excludes() -> None:
    given = configuration('<NetworkConnect onmatch="include"/>\n  <NetworkConnect onmatch="exclude"/>')
    with pytest.raises(ConfigurationError) as raised:
        with_images(given, ["curl"])
    assert str(raised.value).startswith('configuration:3:3: found <NetworkConnect onmatch="exclude">, expected')
