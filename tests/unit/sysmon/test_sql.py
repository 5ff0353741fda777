"""The compiled expression, as SQL; that it decides rightly is shown by test_conformance.py and tests/property."""

from __future__ import annotations

import pytest

from procwire.engine import connect
from procwire.sysmon.sql import compile_sql
from rule_cases import batch_of, by_sql, configuration, row

PORTS = '<RuleGroup name="g"><include>{}</include></RuleGroup>'


def test_expression_is_readable() -> None:
    """An element is a branch, commented with its line; the default stands last."""
    text = compile_sql(
        configuration("<include><Protocol>tcp</Protocol></include>\n<exclude><Protocol>udp</Protocol></exclude>")
    )
    assert text == (
        "nullif(coalesce(\n"
        "  /* exclude, line 2 */ CASE\n"
        "    WHEN lower(coalesce(network_protocol, '-')) = 'udp'\n"
        "    THEN ''\n"
        "  END,\n"
        "  /* include, line 1 */ CASE\n"
        "    WHEN lower(coalesce(network_protocol, '-')) = 'tcp'\n"
        "    THEN '-'\n"
        "  END,\n"
        "  /* nothing matches */ ''\n"
        "), '')"
    )


@pytest.mark.parametrize("snippet", ["", "<include/>", "<exclude/>", "<exclude/><include/>"])
@pytest.mark.parametrize("strict", [False, True])
def test_expression_without_filters(snippet: str, strict: bool) -> None:
    expected = "-" if snippet == "<exclude/>" else None
    assert by_sql(configuration(snippet), [row({})], strict=strict) == [expected]


def test_values_and_names_are_text_and_no_sql() -> None:
    """What a configuration holds cannot leave its quotes."""
    for evil in ("' OR true --", "*/ x /*", "\\' OR true", "a\n' OR true --", "$$x$$", "{}", "%s", "?"):
        snippet = PORTS.format(f'<Image name="n"><![CDATA[{evil}]]></Image>')
        assert by_sql(configuration(snippet), [row({"Image": evil}), row({})]) == ["n", None]
    for evil in ("' OR true --", "*/", "\\'", "&#10;'"):
        snippet = f'<RuleGroup name="{evil}"><include><Protocol>tcp</Protocol></include></RuleGroup>'
        assert by_sql(configuration(snippet), [row({})]) == [evil.replace("&#10;", "\n")]


@pytest.mark.parametrize("relation", ["and", "or"])
def test_many_filters_compile(relation: str) -> None:
    """A thousand filters, of which the last decides: neither too deep nor too long."""
    filters = "".join(f"<Image>{number}</Image>" for number in range(1000))
    text = f'<RuleGroup name="g" groupRelation="{relation}"><include>{filters}</include></RuleGroup>'
    assert by_sql(configuration(text), [row({"Image": "999"}), row({"Image": "1000"})]) == ["g", None]


def test_many_elements_compile() -> None:
    text = "".join(f'<RuleGroup name="{n}"><include><Image>{n}</Image></include></RuleGroup>' for n in range(300))
    for strict in (False, True):
        assert by_sql(configuration(text), [row({"Image": "0"}), row({"Image": "x"})], strict=strict) == ["0", None]


def test_expression_is_text_whatever_the_configuration() -> None:
    """Its type does not depend on the rules, not even where nothing is ever logged."""
    with connect(threads=1) as connection:
        connection.register("events", batch_of([row({})]))
        for snippet in ("", "<include/>", "<exclude/>", "<include><Protocol>tcp</Protocol></include>"):
            expression = compile_sql(configuration(snippet))
            assert connection.sql(f"SELECT typeof({expression}) FROM events").fetchall() == [("VARCHAR",)]
