"""What of the XML becomes a filter's value."""

from __future__ import annotations

from rule_cases import NO, UNNAMED, Case, Changes, case


def value(title: str, inside: str, image: str, logged: bool) -> Case:
    return case(title, f"<include><Image>{inside}</Image></include>", ({"Image": image}, UNNAMED if logged else NO))


ANY: Changes = {}
DOCUMENTS = (
    value("white space alone is no value", "  \n ", "  \n ", False),
    value("white space around a value stays", " a\n", " a\n", True),
    value("CRLF is one line end", "a\r\nb", "a\nb", True),
    value("a line end, a quote and backslashes", "\\n'\n\\", "\\N'\n\\", True),
    value("CDATA", "<![CDATA[<a&b>]]>", "<a&b>", True),
    value("CDATA of white space is a value", "<![CDATA[  ]]>", "  ", True),
    value("text before CDATA is the value", "a<![CDATA[b]]>", "a", True),
    value("CDATA before text is the value", "<![CDATA[a]]>b", "a", True),
    value("white space before CDATA is not", "\n <![CDATA[a]]>\n", "a", True),
    value("an empty CDATA before text is the value", "<![CDATA[]]>a", "a", False),
    value("a comment ends the value", "a<!-- x -->b", "a", True),
    value("a comment does not join it", "a<!-- x -->b", "ab", False),
    value("a comment before the value", "<!-- x -->a", "a", True),
    value("a processing instruction ends it", "a<?x?>b", "a", True),
    value("entities", "&lt;unknown process&gt;", "<unknown process>", True),
    value("more entities", "a&amp;&quot;&apos;&#65;&#x42;", "a&\"'AB", True),
    value("no entity twice", "&amp;lt;", "&lt;", True),
    value("text after a child is the value", "<b/>a", "a", True),
    value("a child's text is not", "<b>a</b>", "a", False),
    case("an empty condition is `is`", '<include><Protocol condition="">tcp</Protocol></include>', (ANY, UNNAMED)),
    case("a condition in any case", '<include><Protocol condition="BEGIN With">t</Protocol></include>', (ANY, UNNAMED)),
    case("comments between elements",
         "<!-- a --><include><!-- b --><Protocol>tcp</Protocol><!-- c --></include>", (ANY, UNNAMED)),
    case("what a comment hides", "<!-- <include/> --><exclude/>", (ANY, UNNAMED)),
    case("an unknown condition is skipped, read leniently",
         '<include><Protocol condition="equals">udp</Protocol><Initiated>true</Initiated></include>',
         (ANY, UNNAMED), lenient=True),
    case("an unknown field drops its element and later ones, read leniently",
         "<exclude/><include><Port>1</Port></include><include><Protocol>tcp</Protocol></include>",
         (ANY, UNNAMED), lenient=True),
    case("another event's field is unknown", "<exclude/><include><CommandLine>x</CommandLine></include>",
         (ANY, UNNAMED), lenient=True),
    case("an element without onmatch is dropped, read leniently",
         "<exclude/><NetworkConnect><Protocol>tcp</Protocol></NetworkConnect>", (ANY, UNNAMED), lenient=True),
    case("an element with onmatch and default is dropped, read leniently",
         '<exclude/><NetworkConnect onmatch="include" default="include"/>', (ANY, UNNAMED), lenient=True),
    case("schema 3.4 is OR, read leniently", "<include><Protocol>tcp</Protocol><Initiated>false</Initiated></include>",
         (ANY, UNNAMED), schema="3.4", lenient=True),
)  # fmt: skip
