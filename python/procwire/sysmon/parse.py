"""Parse a file into a `Configuration`, as Sysmon's own loader does (microsoft/SysmonCommon, xml.cpp).

Where Sysmon would print an error, or silently ignore a part, there is a finding.
"""

from __future__ import annotations

import os
import re

from procwire.bounded import read_bounded
from procwire.errors import ConfigurationError, UsageError
from procwire.sysmon.document import MAX_BYTES, Document, DocumentError, Node, parse_document
from procwire.sysmon.elements import ElementReader
from procwire.sysmon.findings import Findings, TooManyFindings, dotted, nearest, quoted
from procwire.sysmon.manifest import EVENTS, OLDEST_SCHEMA, Version
from procwire.sysmon.model import Configuration, Finding
from procwire.sysmon.options import Options, read_options

__all__ = ["load", "parse"]

_LATEST: Version = (4, 90)


def load(path: str | os.PathLike[str], *, lenient: bool = False) -> Configuration:
    """Return the configuration in a file.

    lenient: reads on where Sysmon refuses or skips something, and keeps the errors as findings: older schemas are
    taken, an unknown condition drops its filter, an element without a usable onmatch is dropped, an unknown field
    drops its element and all later ones of that event, `--` in a comment and a blank line before `<?xml` count as
    white space.

    Raises UsageError for a file that cannot be read, ConfigurationError, with every error and its place, for one with
    errors; if lenient, only for a file that is not a configuration.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error}") from error
    return parse(data, os.fspath(path), lenient=lenient)


def parse(data: bytes, path: str = "configuration", *, lenient: bool = False) -> Configuration:
    """Return the configuration in a file's bytes. path: its name in findings.

    Other arguments and errors as for `load`.
    """
    try:
        document = parse_document(data)
    except DocumentError as error:
        raise ConfigurationError(path, [Finding(error.place, "error", error.text)]) from error
    try:
        configuration = _configuration(document, path, lenient)
    except TooManyFindings as error:
        raise ConfigurationError(path, error.findings) from error
    if not lenient and (errors := [found for found in configuration.findings if found.severity == "error"]):
        raise ConfigurationError(path, errors)
    return configuration


def _configuration(document: Document, path: str, lenient: bool) -> Configuration:
    findings = Findings()
    root = document.root
    for repair in document.repairs:
        findings.error_at(repair.place, repair.text)
    version, options = _LATEST, Options()
    if root.tag == "Sysmon":
        findings.check_attributes(root, ("schemaversion",))
        version = _schema_version(root, findings)
        options = read_options(root, version, findings)
        parts = [child for child in root.children if child.tag == "EventFiltering"]
        for child in root.children:
            if child.tag in EVENTS and "onmatch" in child.attributes:
                # Some of these are names of options, too.
                text = f"found <{child.tag} onmatch> outside of <EventFiltering>, where Sysmon does not look for rules"
                findings.warn(child, text)
    elif lenient and root.tag in ("EventFiltering", "RuleGroup", *EVENTS):
        findings.warn(root, f"found a part, <{root.tag}> without <Sysmon>: read as of schema {dotted(version)}")
        parts = [root if root.tag == "EventFiltering" else Node("EventFiltering", {}, root.place, [root])]
    else:
        text = f'found <{root.tag}>, expected <Sysmon schemaversion="4.90">{nearest(root.tag, ["Sysmon"])}'
        raise ConfigurationError(path, [*findings.sorted, Finding(root.place, "error", text)])
    reader = ElementReader(version, findings)
    elements = tuple(element for part in parts for element in reader.read(part))
    return Configuration(path, version, elements, options.dns_lookup, options.field_sizes, findings.sorted)


def _schema_version(root: Node, findings: Findings) -> Version:
    text = root.attributes.get("schemaversion", "")
    number = re.match(r"\s*\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)", text)
    if number is None or not 1 <= float(number[1]) < 1 << 16:
        found = f"schemaversion {quoted(text)}" if text else "no schemaversion"
        findings.error(root, f'found {found}, expected a number such as "4.90"')
        return _LATEST
    if number.end() < len(text):
        findings.warn(root, f"found schemaversion {quoted(text)}, of which Sysmon reads {number[1]}")
    # As Sysmon prints it, "%.2f": 4.1 is 4.10, 4.9 is 4.90.
    major, minor = f"{float(number[1]):.2f}".split(".")
    version = (int(major), int(minor))
    if version < OLDEST_SCHEMA:
        findings.error(root, f"found schemaversion {text}, expected 4.0 or later: Sysmon refuses older ones")
    return version
