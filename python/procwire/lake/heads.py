"""The head of an entire lake, as a text to store elsewhere, where whoever forges the lake cannot change it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from procwire.errors import UsageError
from procwire.lake.maintenance import Verification
from procwire.lake.schema import Layout

__all__ = ["head_of", "hold_to"]

# Half of a BLAKE3 digest resists forgery, too.
_DIGITS = 32
_PART = re.compile(rf"([a-z_]+):(\d+):([0-9a-f]{{{_DIGITS}}})")


def head_of(tables: Iterable[tuple[Layout, Verification]]) -> str:
    """Return the newest commit of each table and its digest: `TABLE:COMMIT:DIGEST`, separated by commas."""
    newest = [(layout.name, max(found.digests), found.digests) for layout, found in tables if found.digests]
    return ",".join(f"{name}:{version}:{digests[version][:_DIGITS]}" for name, version, digests in newest)


def hold_to(expected: str, tables: Sequence[tuple[Layout, Verification]]) -> None:
    """Add a fault to each table that does not continue from an earlier head of the lake.

    Raises UsageError if `expected` is not a head.
    """
    found: Mapping[str, Verification] = {layout.name: state for layout, state in tables}
    for part in expected.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"found the head {part!r}, expected TABLE:COMMIT:DIGEST as an earlier verify printed it")
        name, version, digest = match[1], int(match[2]), match[3]
        if name not in found:
            raise UsageError(f"found the head of a table {name}, which the lake does not have")
        digests = found[name].digests
        if digests and version < min(digests):
            fault = "was cleaned up since: save the head at least once a day"
        elif version not in digests:
            fault = "is missing"
        elif digests[version].startswith(digest):
            continue
        else:
            fault = "is not the commit that is expected"
        found[name].faults.append(f"commit {version} {fault}")
