"""Parse a configuration file's bytes to a tree of XML elements with their places.

Like Sysmon (microsoft/SysmonCommon, xml.cpp, which uses pugixml), except that the XML must be well-formed: a byte order
mark or a zero byte means UTF-16, and the declared encoding only counts if it is ISO-8859-1; an element's value is its
first piece of text, which ends at a comment, and white space alone does not count.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from procwire.sysmon.model import Place
from procwire.sysmon.repairs import Repair, repaired

__all__ = ["MAX_BYTES", "Document", "DocumentError", "Node", "parse_document"]

MAX_BYTES = 16 << 20
"""Longer files are refused; the longest known configuration has 1 MB."""

_MOST_ELEMENTS = 250_000
_MOST_ATTRIBUTES = 64
_DEEPEST = 100
_EVTX = b"ElfFile\0"
_INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_MISMATCHED = expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]
_HINTS = {
    expat.errors.codes[text]: hint
    for text, hint in {
        expat.errors.XML_ERROR_UNDEFINED_ENTITY: "XML knows &amp;, &lt;, &gt;, &quot; and &apos; only",
        expat.errors.XML_ERROR_MISPLACED_XML_PI: "<?xml may only begin the file",
        expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: "the document ends before it: a file has one <Sysmon>",
        expat.errors.XML_ERROR_UNCLOSED_TOKEN: "what begins there, such as a comment, has no end",
    }.items()
}
_LONGEST_NAME = 100
_BLANK = " \t\r\n"
_WEB_PAGE = re.compile(r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_PACKED = {b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip file", b"MZ": "a program", b"%PDF": "a PDF"}


class DocumentError(Exception):
    """Report bytes that are not well-formed XML."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(text)
        self.place = place
        self.text = text


@dataclass(slots=True)
class Node:
    """Represent an element: its name, attributes, children and text."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list[Node] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Pieces of text that are more than white space or CDATA, as comments and children part them."""

    @property
    def value(self) -> str:
        """Return what Sysmon takes for the element's text."""
        return self.texts[0] if self.texts else ""


class Document(NamedTuple):
    """Hold a document: its root element, and what Sysmon refuses and was repaired to read it."""

    root: Node
    repairs: tuple[Repair, ...]


def parse_document(data: bytes) -> Document:
    """Return the root element, and what is not well-formed and can be read on without loss.

    Raises DocumentError, with the place, for what cannot be decoded or is not well-formed otherwise.
    """
    _refuse_others(data)
    builder = _Builder()
    repaired_text, repairs = repaired(_decoded(data))
    text = repaired_text.encode("utf-8", "replace")
    try:
        builder.parser.Parse(text, True)
    except expat.ExpatError as error:
        place = Place(error.lineno, error.offset + 1)
        at = builder.parser.ErrorByteIndex
        before, after = text[max(at - _LONGEST_NAME, 0) : at], text[at : at + 1]
        hint = builder.hint(error.code, before, after)
        raise DocumentError(place, f"found XML that does not parse: {expat.ErrorString(error.code)}{hint}") from error
    [root] = builder.root.children
    return Document(root, repairs)


def _refuse_others(data: bytes) -> None:
    """Refuse, by its name, what is often saved in a configuration's place."""
    if data.startswith(_EVTX):
        raise DocumentError(Place(1, 1), "found a Windows event log, expected a configuration")
    if len(data) > MAX_BYTES:
        raise DocumentError(Place(1, 1), f"found {len(data):,} bytes, expected {MAX_BYTES:,} at most")
    if not data.strip():
        raise DocumentError(Place(1, 1), "found an empty file, expected a configuration")
    for start, name in _PACKED.items():
        if data.startswith(start):
            raise DocumentError(Place(1, 1), f"found {name}, expected a configuration")
    first = data[:4096].replace(b"\0", b"").lstrip(b"\xff\xfe\xef\xbb\xbf \t\r\n")
    if first and not first.startswith(b"<"):
        shown = "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in first.split(b"\n")[0][:40])
        raise DocumentError(Place(1, 1), f"found {shown!r}, expected XML that begins with <Sysmon>")
    beginning = data[:4096].replace(b"\0", b"").decode("latin-1").removeprefix("\u00ef\u00bb\u00bf")
    if _WEB_PAGE.match(beginning.removeprefix("\u00ff\u00fe")):
        text = (
            "found a saved web page (HTML), expected a configuration; download the file itself, as GitHub's button Raw "
            "shows it"
        )
        raise DocumentError(Place(1, 1), text)


def _decoded(data: bytes) -> str:
    encoding = _encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        found = data[error.start : error.start + 1].hex()
        raise DocumentError(place, f"found byte 0x{found} at offset {error.start:,}, expected {encoding}") from error


def _encoding(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data[1:2] == b"\0":
        return "utf-16-le"
    declaration = data[: data.find(b"?>") + 1].lower() if data.lstrip().startswith(b"<?xml") else b""
    return "iso-8859-1" if b"iso-8859-1" in declaration else "utf-8"


class _Builder:
    """Build the tree from expat's events."""

    def __init__(self) -> None:
        self.root = Node("", {}, Place(1, 1))
        self._open = [self.root]
        self._pieces: list[str] = []
        self._elements = 0
        # The bytes are already converted to UTF-8, whatever the declaration says.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        # Without default attributes from a document type.
        self.parser.specified_attributes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._add
        self.parser.CommentHandler = lambda _: self._part()
        self.parser.ProcessingInstructionHandler = lambda *_: self._part()
        self.parser.StartCdataSectionHandler = self._part
        self.parser.EndCdataSectionHandler = self._part_whole
        self.parser.EntityDeclHandler = self._refuse_entity

    def hint(self, code: int, before: bytes, after: bytes) -> str:
        """Return what is likely wrong where the parser stopped; empty if that is not known."""
        if code in _HINTS:
            return f"; {_HINTS[code]}"
        if code == _MISMATCHED and len(self._open) > 1:
            node = self._open[-1]
            return f"; <{node.tag[:_LONGEST_NAME]}> of line {node.place.line} is not closed before it"
        if code != _INVALID_TOKEN:
            return ""
        if re.search(rb"&\w*$", before):
            return "; a & by itself is written &amp;"
        if re.search(rb"<[^<>]*=\s*$", before) and after not in (b"'", b'"'):
            return '; the value of an attribute stands in straight quotes: "..."'
        if len(self._open) == 1 and self.root.children:
            return f"; {_HINTS[_JUNK]}"
        if before.endswith(b"<") or after == b"<":
            return "; a < by itself is written &lt;"
        return ""

    @property
    def _place(self) -> Place:
        return Place(self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._part()
        self._elements += 1
        self._check("elements", self._elements, _MOST_ELEMENTS)
        self._check("attributes in an element", len(attributes), _MOST_ATTRIBUTES)
        self._check("levels of elements", len(self._open), _DEEPEST)
        node = Node(tag, attributes, self._place)
        self._open[-1].children.append(node)
        self._open.append(node)

    def _end(self, _: str) -> None:
        self._part()
        self._open.pop()

    def _add(self, text: str) -> None:
        self._pieces.append(text)

    def _part(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if text.strip(_BLANK):
            self._open[-1].texts.append(text)

    def _part_whole(self) -> None:
        # In CDATA white space counts, and so does an empty text.
        self._open[-1].texts.append("".join(self._pieces))
        self._pieces.clear()

    def _check(self, what: str, found: int, most: int) -> None:
        if found > most:
            raise DocumentError(self._place, f"found {found:,} {what}, expected {most:,} at most")

    def _refuse_entity(self, name: str, *_: object) -> None:
        # Sysmon does not read entities that a document declares, and they let small files expand without bound.
        raise DocumentError(self._place, f"found the declaration of entity {name!r}, expected none")
