"""XML as Sysmon's parser reads it, with places."""

from __future__ import annotations

import codecs

import pytest

from procwire.sysmon.document import DocumentError, Node, parse_document
from procwire.sysmon.model import Place


def test_tree_with_places() -> None:
    """Lines and columns count from 1; columns count characters, not bytes."""
    root = parse_document('<a x="é"><b/>é<c>\n  <d y="1"/>\n</c></a>'.encode()).root
    assert (root.tag, root.attributes, root.place) == ("a", {"x": "é"}, (1, 1))
    [b, c] = root.children
    assert (b.place, c.place) == ((1, 10), (1, 15))
    [d] = c.children
    assert (d.tag, d.attributes, d.place) == ("d", {"y": "1"}, (2, 3))


@pytest.mark.parametrize(
    ("inside", "texts"),
    [
        ("", []),
        (" \r\n\t", []),
        (" a ", [" a "]),
        ("a\r\nb\rc", ["a\nb\nc"]),
        ("a<!-- b -->c", ["a", "c"]),
        ("a<?b?>c", ["a", "c"]),
        ("a<b>c</b>d", ["a", "d"]),
        ("<![CDATA[ ]]>", [" "]),
        ("<![CDATA[]]>a", ["", "a"]),
        ("a<![CDATA[<b>]]>c", ["a", "<b>", "c"]),
        ("&lt;&amp;&#228;", ["<&ä"]),
        ("\u00a0", ["\u00a0"]),
    ],
)
def test_texts(inside: str, texts: list[str]) -> None:
    """Pieces as comments, instructions, CDATA and children part them; the first is the value."""
    root = parse_document(f"<a>{inside}</a>".encode()).root
    assert root.texts == texts
    assert root.value == (texts[0] if texts else "")


@pytest.mark.parametrize(
    "data",
    [
        "<a>é</a>".encode(),
        codecs.BOM_UTF8 + "<a>é</a>".encode(),
        '<?xml version="1.0" encoding="UTF-16"?><a>é</a>'.encode(),
        '<?xml version="1.0" encoding="windows-1252"?><a>é</a>'.encode(),
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode("iso-8859-1"),
        '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("utf-16"),
        "<a>é</a>".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "<a>é</a>".encode("utf-16-be"),
    ],
)
def test_encodings(data: bytes) -> None:
    """Marks and zero bytes identify them, and of those declared only ISO-8859-1."""
    assert parse_document(data).root.value == "é"


@pytest.mark.parametrize(
    ("data", "place", "text"),
    [
        (b"", (1, 1), "found an empty file, expected a configuration"),
        (
            b"<a>\n <b>\n</a>",
            (3, 3),
            "found XML that does not parse: mismatched tag; <b> of line 2 is not closed before it",
        ),
        (
            b"<a/>\n<b/>",
            (2, 1),
            "found XML that does not parse: junk after document element; the document ends before it: a file "
            "has one <Sysmon>",
        ),
        (
            b"<a>R&D</a>",
            (1, 7),
            "found XML that does not parse: not well-formed (invalid token); a & by itself is written &amp;",
        ),
        (b"<a x='1' x='2'/>", (1, 10), "found XML that does not parse: duplicate attribute"),
        (b"<a>\n\xe4</a>", (2, 1), "found byte 0xe4 at offset 4, expected utf-8"),
        (b"<a>&#0;</a>", (1, 4), "found XML that does not parse: reference to invalid character number"),
        (b'<!DOCTYPE a [\n<!ENTITY e "x">]><a>&e;</a>', (2, 12), "found the declaration of entity 'e', expected none"),
    ],
)
def test_what_is_not_well_formed(data: bytes, place: tuple[int, int], text: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_document(data)
    assert (raised.value.text, raised.value.place) == (text, place)


def test_document_types_are_passed_over() -> None:
    data = b'<!DOCTYPE a SYSTEM "none.dtd" [<!ATTLIST a x CDATA "1"><!ELEMENT a EMPTY>]><a/>'
    assert parse_document(data).root == Node("a", {}, Place(1, data.index(b"<a/>") + 1))


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("<a><!-- b -- c --></a>", (1, 11), "found '--' in a comment"),
        ("<a>\n<!--- b --></a>", (2, 5), None),
        ("<a>\n<!-- b ---></a>", (2, 8), "found '--' in a comment"),
        ("<a><!-- - b\n-- c --><!-- d -- --><!-- e --></a>", (2, 1), "found '--' in a comment"),
        ("\n<?xml version='1.0'?><a/>", (2, 1), "found a blank line before <?xml"),
        (" <?xml version='1.0'?><a/>", (1, 2), "found white space before <?xml"),
        ("\n\n<?xml\nversion='1.0'?>\n<a/>", (3, 1), "found a blank line before <?xml"),
    ],
)
def test_what_is_repaired(text: str, place: tuple[int, int], expected: str | None) -> None:
    """It is said where, and what follows keeps its place."""
    root, repairs = parse_document(text.encode())
    assert root.tag == "a"
    assert [(repair.place, repair.text.startswith(expected or "")) for repair in repairs] == (
        [(Place(*place), True)] if expected else []
    )
    before = text[: text.index("<a")]
    assert root.place == Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


@pytest.mark.parametrize(
    "text", ["<a><![CDATA[<!-- b -- c -->]]></a>", "<a b='-- --'/>", "<a>-- --</a>", "<a><!-- b --></a>"]
)
def test_what_needs_no_repair(text: str) -> None:
    assert parse_document(text.encode()).repairs == ()


@pytest.mark.parametrize("text", ["<!--" * 100_000, "<![CDATA[" * 100_000, "<!" * 500_000, "\n" * 1_000_000 + "<?xml"])
def test_repairs_take_linear_time(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_document(text.encode())


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html>\n<html></html>",
        "\n\n<!doctype HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><html>",
        "<html lang='en'>",
        "<!-- saved from url=(0014)about:internet -->\n<html>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_saved_web_page_is_named(page: str, encoding: str) -> None:
    with pytest.raises(DocumentError, match=r"^found a saved web page \(HTML\), expected a configuration; download"):
        parse_document(page.encode(encoding))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"PK\x03\x04abc", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"MZ\x90", "a program"),
        (b" \n", "an empty"),
    ],
)
def test_other_files_are_named(data: bytes, expected: str) -> None:
    with pytest.raises(DocumentError, match=f"^found {expected}.*, expected a configuration$"):
        parse_document(data)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("<a b=1/>", (1, 6), "the value of an attribute stands in straight quotes"),
        ("<a b=“1”/>", (1, 6), "the value of an attribute stands in straight quotes"),
        ("<a>b & c</a>", (1, 7), "a & by itself is written &amp;"),
        ("<a>b < c</a>", (1, 7), "a < by itself is written &lt;"),
        ("<a>&nbsp;</a>", (1, 4), "XML knows &amp;, &lt;, &gt;, &quot; and &apos; only"),
        ("<a>\n<b>\n</a>", (3, 3), "<b> of line 2 is not closed before it"),
        ("<a/><a/>", (1, 5), "the document ends before it"),
        ("<a/>\n</a>", (2, 2), "the document ends before it"),
        ("<!-- x -->\n<?xml version='1.0'?><a/>", (2, 1), "<?xml may only begin the file"),
        ("<a><!-- b </a>", (1, 4), "what begins there, such as a comment, has no end"),
    ],
)
def test_what_is_likely_wrong_is_said(text: str, place: tuple[int, int], hint: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(text.encode())
    assert hint in caught.value.text
    assert caught.value.place.line == place[0]


@pytest.mark.parametrize("text", ["hello", '{"a": 1}', "404: Not Found", "```xml\n<a/>", "x<?xml version='1.0'?><a/>"])
def test_what_is_no_xml_is_shown(text: str) -> None:
    with pytest.raises(DocumentError, match=r"^found ['\"].*['\"], expected XML that begins with <Sysmon>$"):
        parse_document(text.encode())
