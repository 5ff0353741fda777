"""Which rule's name an event gets; the third verdict is Sysmon's own, with its stale names."""

from __future__ import annotations

from rule_cases import NO, UNNAMED, case


def tcp(name: str = "", value: str = "tcp") -> str:
    return f'<Protocol name="{name}">{value}</Protocol>'


def port(name: str = "", value: str = "443") -> str:
    return f'<DestinationPort name="{name}">{value}</DestinationPort>'


def image(name: str = "", value: str = "svchost.exe") -> str:
    return f'<Image name="{name}" condition="image">{value}</Image>'


def group(relation: str, name: str, *operands: str) -> str:
    inside = "".join(operands)
    return f'<RuleGroup groupRelation="{relation}" name="{name}"><include>{inside}</include></RuleGroup>'


def rule(relation: str, name: str, *filters: str) -> str:
    return f'<Rule groupRelation="{relation}" name="{name}">{"".join(filters)}</Rule>'


NAMES = (
    case("none", group("or", "", tcp()), ({}, UNNAMED)),
    case("the field's", group("or", "", tcp("f")), ({}, "f")),
    case("the group's", group("or", "g", tcp()), ({}, "g")),
    case("the Rule's", group("or", "", rule("or", "r", tcp())), ({}, "r")),
    case("the field's before the group's", group("or", "g", tcp("f")), ({}, "f")),
    case("the Rule's before the group's", group("or", "g", rule("or", "r", tcp())), ({}, "r")),
    case("the field's before the Rule's", group("or", "g", rule("or", "r", tcp("f"))), ({}, "f")),
    case("a Rule without one has the group's", group("or", "g", rule("or", "", tcp())), ({}, "g")),
    case("a field beside a Rule has the group's",
         group("or", "g", rule("or", "r", tcp(value="udp")), port()), ({}, "g")),
    case("the element itself has no name", f'<NetworkConnect onmatch="include" name="e">{tcp()}</NetworkConnect>',
         ({}, UNNAMED)),
    case("a group further up gives none", f'<RuleGroup name="g"><Set><include>{tcp()}</include></Set></RuleGroup>',
         ({}, UNNAMED)),
    case("as written: commas, =, quotes, white space",
         group("or", " a=b,c='d' ", tcp()), ({}, " a=b,c='d' ")),
    case("as written: entities and more than ASCII", group("or", "R&amp;D &quot;é&quot; &#x1F600;", tcp()),
         ({}, 'R&D "é" 😀')),
    case("a name - is like none", group("or", "-", tcp()), ({}, UNNAMED)),
    case("a name of white space is one", group("or", " ", tcp()), ({}, " ")),
    case("a name of 255 characters", group("or", "n" * 255, tcp()), ({}, "n" * 255)),
    case("OR: the first that matches", group("or", "g", tcp("a", "udp"), port("b"), image("c")), ({}, "b")),
    case("AND: the last that has one", group("and", "", tcp("a"), port("b"), image()), ({}, "b")),
    case("AND: the last of all", group("and", "", tcp("a"), port(), image("c")), ({}, "c")),
    case("AND, same field: of two that match the first", group("and", "", tcp("a"), tcp("b")), ({}, "a")),
    case("AND, same field: the one that matches", group("and", "", tcp("a", "udp"), tcp("b")), ({}, "b")),
    case("AND, interleaved: the second of a field is not asked again",
         group("and", "", tcp("a"), port("b"), tcp("c")), ({}, "b")),
    case("AND, interleaved: asked again, for it had missed",
         group("and", "", tcp("a", "udp"), port("b"), tcp("c")), ({}, "c")),
    case("OR: a field before a Rule AND", group("or", "", tcp("a"), rule("and", "r", tcp(), port())), ({}, "a")),
    case("OR: a Rule AND before a field", group("or", "", rule("and", "r", tcp(), port()), tcp("a")), ({}, "r")),
    case("OR: a Rule OR before a Rule AND",
         group("or", "", rule("or", "o", tcp()), rule("and", "r", tcp(), port())),
         ({}, "o"), ({"Protocol": "udp"}, NO)),
    case("OR: a Rule AND that misses, before a Rule OR",
         group("or", "", rule("and", "r", tcp(), port(value="80")), rule("or", "o", tcp())),
         ({}, "o"), ({"DestinationPort": 80}, "r")),
    case("Rule AND: the last, same field or not", group("or", "g", rule("and", "r", tcp("a"), tcp("b"))), ({}, "b")),
    case("Rule OR: the first that matches",
         group("or", "g", rule("or", "r", tcp("a", "udp"), port("b"), image("c"))), ({}, "b")),
    case("Rule in AND: the last of the element", group("and", "g", rule("or", "r", tcp()), port()), ({}, "g")),
    case("Rule in AND, at the end", group("and", "g", port(), rule("or", "r", tcp())), ({}, "r")),
    case("the last element that matches in the document",
         group("or", "a", tcp()) + group("or", "b", port()) + group("or", "c", port(value="80")),
         ({}, "b"), ({"DestinationPort": 80}, "c"), ({"Protocol": "udp"}, "b")),
    case("an exclude's name is reported to nobody",
         f'<RuleGroup name="x"><exclude>{tcp()}</exclude></RuleGroup>{group("or", "g", tcp())}', ({}, NO)),
    case("a sole exclude that misses",
         f'<RuleGroup name="x"><exclude>{tcp(value="udp")}</exclude></RuleGroup>', ({}, UNNAMED)),
    case("schema 4.0 knows names too", group("or", "g", tcp()), ({}, "g"), schema="4.0"),
)  # fmt: skip

EXCLUDE_FAILS = (
    f'<RuleGroup groupRelation="and"><exclude>{tcp("x")}{port(value="80")}</exclude></RuleGroup>'
)  # fmt: skip
STALE = (
    case("from an AND element, to an unnamed one",
         group("or", "", port()) + group("and", "", tcp("a"), image(value="x")),
         ({}, UNNAMED, "a")),
    case("a named one overwrites it", group("or", "g", port()) + group("and", "", tcp("a"), image(value="x")),
         ({}, "g")),
    case("nothing is stale where the last operand alone is named",
         group("or", "", port()) + group("and", "", tcp(), image("a", "x")), ({}, UNNAMED)),
    case("from a Rule AND to the next operand", group("or", "", rule("and", "r", tcp(), image(value="x")), port()),
         ({}, UNNAMED, "r")),
    case("from a Rule that matched, in an AND element that did not",
         group("or", "", port()) + group("and", "", rule("or", "r", tcp()), image(value="x")), ({}, UNNAMED, "r")),
    case("from a Rule that did not match to the other fields of an AND element: it does not match either",
         group("and", "", rule("and", "r", tcp(), image(value="x")), port()), ({}, NO)),
    case("from an exclude that did not match", group("or", "", port()) + EXCLUDE_FAILS, ({}, UNNAMED, "x")),
    case("never where the default logs", EXCLUDE_FAILS, ({}, UNNAMED)),
    case("never where the default drops", group("and", "", tcp("a"), image(value="x")) + "<exclude/>", ({}, NO)),
    case("from an element that a missing port failed",
         group("or", "", port())
         + group("and", "", tcp("a"), "<SourcePort>1</SourcePort>"), ({"SourcePort": None}, UNNAMED, "a")),
    case("not from behind a missing port, though it is asked for again",
         group("or", "", port())
         + group("and", "", "<SourcePort>1</SourcePort>", tcp("a"), "<SourcePort>2</SourcePort>"),
         ({"SourcePort": None}, UNNAMED), ({"SourcePort": 3}, UNNAMED, "a")),
    case("not from behind a field that misses and does not come again",
         group("or", "", port()) + group("and", "", image(value="x"), tcp("a"), port()), ({}, UNNAMED)),
    case("not from behind a Rule that misses, but from that Rule",
         group("or", "", port()) + group("and", "", rule("and", "r", tcp(), image(value="x")), port("a")),
         ({}, UNNAMED, "r"), ({"Protocol": "udp"}, UNNAMED)),
    case("from a Rule AND its last match, and not from behind its miss",
         group("or", "", port()) + group("and", "", rule("and", "", tcp("a"), port("b"), image("c", "x"), tcp("d"))),
         ({}, UNNAMED, "b"), ({"DestinationPort": 80}, NO)),
    case("from an element with a match of the same field before",
         group("or", "", port()) + group("and", "", tcp("a"), tcp("b"), image(value="x")), ({}, UNNAMED, "a")),
    case("the last of two",
         group("or", "", port()) + group("and", "", tcp("b"), image(value="x"))
         + group("and", "", tcp("a"), image(value="x")), ({}, UNNAMED, "b")),
    case("across an element that does not match and has no name",
         group("or", "", port()) + group("or", "", image(value="x"))
         + group("and", "", tcp("a"), image(value="x")), ({}, UNNAMED, "a")),
    case("an AND element that matches unnamed", group("and", "", port(), tcp()) + EXCLUDE_FAILS, ({}, UNNAMED, "x")),
    case("to a Rule in the same element, unnamed",
         group("or", "", rule("and", "r", tcp(), port(value="80")), rule("and", "", tcp(), port())),
         ({}, UNNAMED, "r"), ({"DestinationPort": 80}, "r")),
    case("an include below is not reached, once excluded",
         f"<exclude>{port()}</exclude>" + group("or", "", port()) + EXCLUDE_FAILS, ({}, NO)),
)  # fmt: skip
