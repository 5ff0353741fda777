"""From a file to a configuration: what is read, what is refused, and what users learn of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from procwire.errors import ConfigurationError, UsageError
from procwire.sysmon.manifest import CONDITIONS
from procwire.sysmon.model import Configuration, Filter, Rule
from procwire.sysmon.parse import load, parse

WHOLE = """\
<Sysmon schemaversion="4.90">
  <DnsLookup>False</DnsLookup>
  <FieldSizes>Image:20,User:10</FieldSizes>
  <EventFiltering>
    <RuleGroup name="g" groupRelation="or">
      <NetworkConnect onmatch="include">
        <Image condition="image">a.exe</Image>
        <Rule name="r" groupRelation="and">
          <DestinationPort name="f">443</DestinationPort>
          <Protocol>tcp</Protocol>
        </Rule>
      </NetworkConnect>
    </RuleGroup>
    <ProcessCreate onmatch="exclude"/>
  </EventFiltering>
</Sysmon>
"""


def with_rules(inside: str, *, before: str = "", version: str = "4.90") -> bytes:
    """A file whose third line holds the rules, from its first column on."""
    return (
        f'<Sysmon schemaversion="{version}">{before}<EventFiltering>\n<RuleGroup name="g">\n{inside}\n'
        "</RuleGroup></EventFiltering></Sysmon>"
    ).encode()


def errors(data: bytes) -> list[str]:
    """What the file is refused for, a line for each error."""
    with pytest.raises(ConfigurationError) as raised:
        parse(data, "my.xml")
    return str(raised.value).splitlines()


def findings(configuration: Configuration) -> list[tuple[str, str]]:
    return [(found.severity, found.text) for found in configuration.findings]


def test_whole() -> None:
    configuration = parse(WHOLE.encode(), "my.xml")
    assert configuration.path == "my.xml"
    assert configuration.schema_version == (4, 90)
    assert configuration.dns_lookup is False
    assert configuration.field_sizes == {"Image": 20, "User": 10}
    [element, other] = configuration.elements
    assert configuration.network_connect == (element,)
    assert (other.event, other.onmatch, other.operands, other.relation_is_given) == (
        "ProcessCreate",
        "exclude",
        (),
        False,
    )
    assert (element.onmatch, element.relation, element.relation_is_given, element.name) == ("include", "or", True, "g")
    assert element.place == (6, 7)
    assert element.operands == (
        Filter("Image", "image", "a.exe", "g", element.operands[0].place),
        Rule(
            "and",
            (Filter("DestinationPort", "is", "443", "f", (9, 11)), Filter("Protocol", "is", "tcp", "r", (10, 11))),  # type: ignore[arg-type]
            "r",
            element.operands[1].place,
        ),
    )
    assert [operand.place for operand in element.operands] == [(7, 9), (8, 9)]
    assert findings(configuration) == [
        ("note", "the rules of ProcessCreate (1 element) are not applied: only network connections are")
    ]


@pytest.mark.parametrize("text", ["4.90", "4.9", " 4.9", "+4.90", "4.900", "04.90"])
def test_versions_are_read_as_numbers(text: str) -> None:
    assert parse(f'<Sysmon schemaversion="{text}"/>'.encode()).schema_version == (4, 90)


@pytest.mark.parametrize(
    ("text", "version"),
    [("4.0", (4, 0)), ("4", (4, 0)), ("4.1", (4, 10)), ("4.10", (4, 10)), ("4.2", (4, 20)), ("4.05", (4, 5)),
     ("4.83", (4, 83)), ("5", (5, 0)), ("10.25", (10, 25))],
)  # fmt: skip
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert parse(f'<Sysmon schemaversion="{text}"/>'.encode()).schema_version == version


@pytest.mark.parametrize(
    ("inside", "error"),
    [
        ('<NetworkConnect onmatch="include"><Image condition="equals">a</Image></NetworkConnect>',
         f"my.xml:3:35: found condition 'equals', expected one of {', '.join(CONDITIONS)}; did you mean 'is'?"),
        ('<NetworkConnect onmatch="include"><Image condition="contain any">a</Image></NetworkConnect>',
         f"my.xml:3:35: found condition 'contain any', expected one of {', '.join(CONDITIONS)}"
         "; did you mean 'contains any'?"),
        ('<NetworkConnect onmatch="include"><DestPort>1</DestPort></NetworkConnect>',
         "my.xml:3:35: found field 'DestPort' in <NetworkConnect>, expected one of its own"
         "; did you mean 'DestinationPort'?"),
        ('<NetworkConnect onmatch="include"><image>a</image></NetworkConnect>',
         "my.xml:3:35: found field 'image' in <NetworkConnect>, expected one of its own; did you mean 'Image'?"),
        ("<NetworkConnect/>",
         'my.xml:3:1: found <NetworkConnect> without onmatch, expected onmatch="include" or "exclude"'),
        ('<NetworkConnect onmatch="include" default="include"/>',
         "my.xml:3:1: found onmatch and default on <NetworkConnect>, expected onmatch only"),
        ('<NetworkConnect onmatch="includes"/>',
         "my.xml:3:1: found onmatch='includes' on <NetworkConnect>, expected include or exclude"
         "; did you mean 'include'?"),
        ('<NetworkConnect onmatch="include"><Rule groupRelation="xor"><Image>a</Image></Rule></NetworkConnect>',
         "my.xml:3:35: found groupRelation='xor', expected \"and\" or \"or\"; did you mean 'or'?"),
        ('<RegistryEvent onmatch="include"><Details>a</Details><NewName>b</NewName></RegistryEvent>',
         "my.xml:3:1: found Details, NewName in one <RegistryEvent>, expected fields of one of its events only"),
    ],
)  # fmt: skip
def test_errors(inside: str, error: str) -> None:
    """File, line, column, what was found and expected, and the nearest name."""
    assert errors(with_rules(inside)) == [error]


def test_every_error_is_reported_at_once() -> None:
    found = errors(
        with_rules(
            '<NetworkConnect onmatch="include"><Imag>a</Imag>\n<Image condition="">a</Image></NetworkConnect>\n'
            "<ProcessCreate/>",
            version="3.4",
        )
    )
    assert [line.split(" ")[0] for line in found] == ["my.xml:1:1:", "my.xml:3:35:", "my.xml:5:1:"]


@pytest.mark.parametrize("length", [255, 256])
def test_rule_names_have_a_longest_length(length: int) -> None:
    """In bytes of UTF-8, as Sysmon counts; on a Rule, a group or a field alike."""
    for name in ("n" * length, "é" * (length // 2) + "n" * (length % 2)):
        for data in (
            with_rules(f'<NetworkConnect onmatch="include"><Image name="{name}">a</Image></NetworkConnect>'),
            with_rules(
                f'<NetworkConnect onmatch="include"><Rule name="{name}"><Image>a</Image></Rule></NetworkConnect>'
            ),
        ):
            if length > 255:
                assert "found a rule name of 256 bytes, expected 255 at most" in errors(data)[0]
            else:
                assert parse(data).findings == ()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "my.xml:1:1: found an empty file, expected a configuration"),
        (b"<a/>", 'my.xml:1:1: found <a>, expected <Sysmon schemaversion="4.90">'),
        (b"<Sysmon/>", 'my.xml:1:1: found no schemaversion, expected a number such as "4.90"'),
        (b"<Sysmon schemaversion='x'/>", "my.xml:1:1: found schemaversion 'x', expected a number such as \"4.90\""),
        (b"<Sysmon schemaversion='0.5'/>", "my.xml:1:1: found schemaversion '0.5', expected a number such as \"4.90\""),
        (b"<Sysmon schemaversion='-4.9'/>",
         "my.xml:1:1: found schemaversion '-4.9', expected a number such as \"4.90\""),
        ("<Sysmon schemaversion='٤.٩'/>".encode(),
         "my.xml:1:1: found schemaversion '٤.٩', expected a number such as \"4.90\""),
        (b"<Sysmon schemaversion='3.99'/>",
         "my.xml:1:1: found schemaversion 3.99, expected 4.0 or later: Sysmon refuses older ones"),
        (b"<NetworkConnect onmatch='include'/>",
         'my.xml:1:1: found <NetworkConnect>, expected <Sysmon schemaversion="4.90">'),
    ],
)  # fmt: skip
def test_what_is_no_configuration(data: bytes, error: str) -> None:
    assert errors(data) == [error]


@pytest.mark.parametrize(
    "data",
    [
        '<EventFiltering><RuleGroup name="g"><NetworkConnect onmatch="exclude"/></RuleGroup></EventFiltering>',
        '<RuleGroup name="g"><NetworkConnect onmatch="exclude"/></RuleGroup>',
    ],
)
def test_parts_are_read_leniently(data: str) -> None:
    """Files that are meant to be merged into others, as TrustedSec and sysmon-modular have them."""
    configuration = parse(data.encode(), lenient=True)
    assert [element.name for element in configuration.network_connect] == ["g"]
    assert [severity for severity, _ in findings(configuration)] == ["warning"]


def test_lenient_reading_keeps_errors_as_findings() -> None:
    data = with_rules('<NetworkConnect onmatch="include"><Image condition="equals">a</Image></NetworkConnect>')
    configuration = parse(data, lenient=True)
    assert [severity for severity, _ in findings(configuration)] == ["error"]
    assert [element.operands for element in configuration.network_connect] == [()]


@pytest.mark.parametrize(
    ("before", "dns_lookup", "sizes"),
    [
        ("<DnsLookup>True</DnsLookup>", True, {}),
        ("<DnsLookup>FALSE</DnsLookup>", False, {}),
        ("<DnsLookup>0</DnsLookup>", False, {}),
        ("<DnsLookupConfig>False</DnsLookupConfig>", False, {}),
        ("<FieldSizes>Image:20</FieldSizes>", True, {"Image": 20}),
        ("<FieldSizes></FieldSizes>", True, {}),
        ("<HashAlgorithms>*</HashAlgorithms><DnsLookup>False</DnsLookup>", False, {}),
        # Sysmon stops at the first that it does not know.
        ("<Unknown/><DnsLookup>False</DnsLookup>", True, {}),
        ("<dnslookup>False</dnslookup>", True, {}),
    ],
)
def test_options(before: str, dns_lookup: bool, sizes: dict[str, int]) -> None:
    configuration = parse(with_rules("", before=before))
    assert (configuration.dns_lookup, configuration.field_sizes) == (dns_lookup, sizes)


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("<DnsLookup>maybe</DnsLookup>", "found 'maybe' in <DnsLookup>, expected True or False"),
        ("<FieldSizes>Image:0</FieldSizes>", "found 'Image:0' in <FieldSizes>, expected Field:N with N from 1 on"),
        ("<FieldSizes>Image:-1</FieldSizes>", "found 'Image:-1' in <FieldSizes>, expected Field:N with N from 1 on"),
        ("<FieldSizes>Image:5.User:6</FieldSizes>",
         "found 'Image:5.User:6' in <FieldSizes>, expected Field:N with N from 1 on"),
        ("<FieldSizes>Imag:5</FieldSizes>",
         "found field 'Imag' in <FieldSizes>, which no event has; did you mean 'Image'?"),
    ],
)  # fmt: skip
def test_errors_in_options(before: str, text: str) -> None:
    [error] = errors(with_rules("", before=before))
    assert error.endswith(text)


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ('<NetworkConnect onmatch="include"><Rule/></NetworkConnect>',
         "found a <Rule> without fields, which does nothing"),
        ('<NetworkConnect onmatch="include"><Image Condition="is">a</Image></NetworkConnect>',
         "found attribute 'Condition' of <Image>, which Sysmon ignores; did you mean 'condition'?"),
        ('<NetworkConnect onmatch="include"><Image>a<!-- x -->b</Image></NetworkConnect>',
         "found a value in 2 pieces, of which Sysmon reads 'a'"),
        ('<NetworkConnect onmatch="include">svchost.exe</NetworkConnect>',
         "found text in <NetworkConnect>, 'svchost.exe', which Sysmon ignores"),
        ('<networkconnect onmatch="include"/>',
         "found <networkconnect>, expected an event such as <NetworkConnect>; did you mean 'NetworkConnect'?"),
    ],
)  # fmt: skip
def test_warnings_of_what_sysmon_passes_over(inside: str, text: str) -> None:
    assert findings(parse(with_rules(inside))) == [("warning", text)]


def test_elements_inside_of_a_field_are_found_as_well() -> None:
    """Sysmon looks for its events at any depth below EventFiltering."""
    inner = '<NetworkConnect onmatch="exclude"/>'
    configuration = parse(with_rules(f'<NetworkConnect onmatch="include"><Image>a{inner}</Image></NetworkConnect>'))
    assert [element.onmatch for element in configuration.network_connect] == ["include", "exclude"]
    text = "found <NetworkConnect> inside of <Image>, where Sysmon takes it for an element of its own"
    assert findings(configuration) == [("warning", text)]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "my.xml"
    path.write_text(WHOLE, encoding="utf-16")
    assert load(path).network_connect == parse(WHOLE.encode()).network_connect
    assert load(str(path)).path == str(path)
    path.write_text("<Sysmon>")
    with pytest.raises(ConfigurationError, match=r"my\.xml:1:9: found XML that does not parse: no element found"):
        load(path)
    with pytest.raises(UsageError, match=r"cannot read .*none\.xml: No such file or directory"):
        load(tmp_path / "none.xml")


def test_errors_carry_their_findings() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(with_rules("<NetworkConnect/>"), "my.xml")
    [found] = raised.value.findings
    assert (raised.value.path, found.place.line, found.place.column) == ("my.xml", 3, 1)
