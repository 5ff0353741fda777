"""Collect findings while a configuration is read: errors, warnings and notes, each with the place of an element."""

from __future__ import annotations

from collections.abc import Iterable

from procwire import words
from procwire.sysmon.document import Node
from procwire.sysmon.manifest import Version
from procwire.sysmon.model import Finding, Place, Severity

__all__ = ["Findings", "TooManyFindings", "dotted", "nearest", "one_line", "quoted"]

_LONGEST = 60
_MOST = 10_000
_ESCAPES = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})


class TooManyFindings(Exception):  # noqa: N818 - it becomes a ConfigurationError
    """Signal a file with so many mistakes that it is not a configuration; `findings` are the first of them."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"found more than {_MOST:,} findings")
        self.findings = findings


class Findings:
    """Collect findings in any order, up to a limit: raise TooManyFindings beyond it."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    @property
    def sorted(self) -> tuple[Finding, ...]:
        """Return the findings in the order of their places."""
        return tuple(sorted(self._found, key=lambda found: (found.place, found.severity, found.text)))

    def error(self, node: Node, text: str) -> None:
        """Add an error: what Sysmon refuses, or reads otherwise than it is written."""
        self._add(node.place, "error", text)

    def error_at(self, place: Place, text: str) -> None:
        """Add an error at a place that is no element."""
        self._add(place, "error", text)

    def warn(self, node: Node, text: str) -> None:
        """Add a warning: what is legal and likely wrong."""
        self._add(node.place, "warning", text)

    def note(self, node: Node, text: str) -> None:
        """Add a note: what is legal and has no effect here."""
        self._add(node.place, "note", text)

    def _add(self, place: Place, severity: Severity, text: str) -> None:
        if len(self._found) == _MOST:
            last = Finding(place, "error", f"found more than {_MOST:,} mistakes, and stopped checking")
            raise TooManyFindings((*self.sorted, last))
        self._found.append(Finding(place, severity, text))

    def check_attributes(self, node: Node, known: tuple[str, ...]) -> None:
        """Warn of attributes that Sysmon ignores: names are case-sensitive."""
        for name in node.attributes:
            if name not in known:
                found = f"found attribute {name!r} of <{node.tag}>"
                self.warn(node, f"{found}, which Sysmon ignores{nearest(name, known)}")

    def check_texts(self, node: Node) -> None:
        """Warn of text beside the children of an element that only has children."""
        if node.texts:
            self.warn(node, f"found text in <{node.tag}>, {quoted(node.value.strip())}, which Sysmon ignores")


def nearest(found: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'contains any'?`, or an empty text where no known name comes near."""
    near = words.nearest(found, known, 0.6)
    return f"; did you mean {near!r}?" if near else ""


def dotted(version: Version) -> str:
    """Return a version as Sysmon prints it: 4.90."""
    return f"{version[0]}.{version[1]:02}"


def quoted(text: str, longest: int = _LONGEST) -> str:
    """Return a value from the file on one line; if it is long, omit the middle: the ends of paths matter most."""
    if len(text) > longest:
        text = f"{text[: longest // 2]}...{text[-(longest // 2) :]}"
    return f"'{one_line(text)}'"


def one_line(text: str) -> str:
    """Return a text with line ends from values made visible."""
    return text.translate(_ESCAPES)
