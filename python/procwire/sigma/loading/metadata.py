"""Read what a rule says about itself: nothing of it affects matching, so nothing of it keeps a rule from running."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from procwire.choices import LEVELS
from procwire.words import nearest, shown

if TYPE_CHECKING:
    from procwire.choices import Level

__all__ = ["Metadata", "matching_part", "metadata_of"]

_STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
_OTHER_LEVELS: Mapping[str, Level] = {"info": "informational", "information": "informational", "warning": "medium"}
_RELATIONS = ("correlation", "derived", "merged", "obsolete", "renamed", "similar")
_MATCHING = ("logsource", "detection", "correlation", "filter")
"""The keys that decide what a rule matches."""
_KEYS = (
    *_MATCHING, "title", "id", "name", "status", "level", "description", "license", "author", "references", "date",
    "modified", "tags", "fields", "falsepositives", "related", "scope", "taxonomy", "generate", "action",
)  # fmt: skip
_LONGEST_TITLE = 256
_MOST_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Metadata:
    """Hold what a rule says about itself.

    id: as Sigma writes UUIDs, else as it stands; None if there is none. warnings: what the specification has
    otherwise, one text each.
    """

    title: str
    id: str | None
    name: str | None
    level: Level
    status: str | None
    tags: tuple[str, ...]
    author: str | None
    description: str | None
    references: tuple[str, ...]
    warnings: tuple[str, ...]


def metadata_of(content: Mapping[str, Any]) -> Metadata:
    """Return what a document says about its rule; where that is not as Sigma specifies it, with a warning."""
    reader = _Reader(content)
    found = Metadata(
        title=reader.title(),
        id=reader.identifier(),
        name=reader.text("name"),
        level=reader.level(),
        status=reader.status(),
        tags=reader.tags(),
        author=reader.author(),
        description=reader.text("description"),
        references=reader.texts("references"),
        warnings=(),
    )
    reader.check_the_rest()
    warnings = reader.warnings
    if len(warnings) > _MOST_WARNINGS:
        warnings = [*warnings[:_MOST_WARNINGS], f"and {len(warnings) - _MOST_WARNINGS:,} more warnings"]
    return replace(found, warnings=tuple(warnings))


def matching_part(content: Mapping[str, Any], about: Metadata) -> dict[str, Any]:
    """Return the part of a document that decides what it matches, with the least of metadata that pySigma requires."""
    part = {key: content[key] for key in _MATCHING if key in content}
    source = part.get("logsource")
    if isinstance(source, Mapping):
        part["logsource"] = {key: source.get(key) for key in ("category", "product", "service")}
    return part | {"title": about.title[:_LONGEST_TITLE]}


class _Reader:
    """Read one key after the other, and collect warnings."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.warnings: list[str] = []

    def title(self) -> str:
        title = self._content.get("title")
        if title is None or not str(title).strip():
            self.warnings.append("found no title")
            return "(without a title)"
        if not isinstance(title, str):
            self._unexpected("title", "a text")
        elif len(title) > _LONGEST_TITLE:
            self.warnings.append(f"found a title of {len(title):,} characters, expected {_LONGEST_TITLE} at most")
        return " ".join(str(title).split())

    def identifier(self) -> str | None:
        found = self._content.get("id")
        if found is None or not str(found).strip():
            return None
        try:
            return str(UUID(found))
        except (ValueError, AttributeError, TypeError):
            self._unexpected("id", "a UUID, such as 929a690e-bef0-4204-a928-ef5e620d6fcc")
            return str(found).strip()

    def level(self) -> Level:
        found = self._content.get("level")
        if found is None:
            return "informational"
        text = str(found).strip().lower()
        likely = _OTHER_LEVELS.get(text) or nearest(text, LEVELS)
        level: Level = next((known for known in LEVELS if known == likely), "informational")
        if text == level:
            return level
        self._unexpected("level", f"one of {', '.join(LEVELS)}", f"taken as {level}")
        return level

    def status(self) -> str | None:
        found = self._content.get("status")
        if found is None:
            return None
        text = str(found).strip().lower()
        if text not in _STATUSES:
            self._unexpected("status", f"one of {', '.join(_STATUSES)}")
        return text

    def tags(self) -> tuple[str, ...]:
        tags = self.texts("tags")
        # Namespace and name, as in attack.t1071.
        bare = [tag for tag in tags if not re.fullmatch(r"[^.\s]+\.\S+", tag)]
        if bare:
            more = f" and {len(bare) - 3:,} more" if len(bare) > 3 else ""
            found = f"{', '.join(map(shown, bare[:3]))}{more}"
            self.warnings.append(f"found tag {found}, expected a namespace and a name, such as attack.t1071")
        return tags

    def author(self) -> str | None:
        found = self._content.get("author")
        if isinstance(found, list):
            self._unexpected("author", "a text")
            return ", ".join(map(str, found))
        return self.text("author")

    def text(self, key: str) -> str | None:
        found = self._content.get(key)
        if found is None or isinstance(found, str):
            return found or None
        self._unexpected(key, "a text")
        return str(found)

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._content.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            self._unexpected(key, "a list")
            return () if isinstance(found, Mapping) else (str(found),)
        return tuple(str(one) for one in found if one is not None)

    def check_the_rest(self) -> None:
        """Warn of the keys that are not used at all."""
        for key in ("date", "modified"):
            if not _is_date(self._content.get(key)):
                self._unexpected(key, "a date, such as 2024-05-14")
        for key in ("fields", "falsepositives", "scope"):
            self.texts(key)
        for key in ("license", "taxonomy"):
            self.text(key)
        self._related()
        for key in self._content:
            if key not in _KEYS and (known := nearest(str(key), _KEYS)):
                self.warnings.append(f"found key {shown(key)}; did you mean {known!r}?")

    def _related(self) -> None:
        related = self._content.get("related")
        if related is None:
            return
        sound = isinstance(related, list) and all(
            isinstance(one, Mapping) and _is_uuid(one.get("id")) and str(one.get("type")).lower() in _RELATIONS
            for one in related
        )
        if not sound:
            self.warnings.append(f"found related otherwise than as a list of id and type ({', '.join(_RELATIONS)})")

    def _unexpected(self, key: str, expected: str, consequence: str = "") -> None:
        value = self._content.get(key)
        kinds: Mapping[type, str] = {list: "a list", dict: "a mapping"}
        found = kinds.get(type(value)) or shown(value)
        self.warnings.append(f"found {key} {found}, expected {expected}" + (f"; {consequence}" if consequence else ""))


def _is_date(value: object) -> bool:
    if value is None or isinstance(value, date):
        return True
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d)-(\d\d)|/(\d\d?)/(\d\d?))", str(value), re.ASCII)
    if parts is None:
        return False
    make: Callable[..., date] = date
    try:
        make(*(int(part) for part in parts.groups() if part))
    except ValueError:
        return False
    return True


def _is_uuid(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
