"""Find files of rules, and the documents in them, with their lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sigma.collection import deep_dict_update

from procwire.bounded import read_bounded
from procwire.errors import UsageError
from procwire.sigma.loading import reading
from procwire.sigma.problems import Kind, OtherEvents, Problem
from procwire.words import nearest

__all__ = ["Document", "documents", "rule_files"]

_SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Document:
    """Hold a rule's document in a file. line: where it begins, from 1."""

    path: str
    line: int
    content: dict[str, Any]

    def problem(self, reason: object) -> Problem:
        """Return a problem with this rule, with the reason on one line."""
        title = self.content.get("title")
        deep = isinstance(reason, RecursionError)
        text = "is nested too deeply, expected a Sigma rule" if deep else " ".join(str(reason).split())
        kind: Kind = "other events" if isinstance(reason, OtherEvents) else "mistake"
        return Problem(self.path, self.line, str(title) if title else None, text, kind)


def documents(paths: Sequence[str | Path]) -> Iterator[Document | Problem]:
    """Yield every document in files, and in the `*.yml` and `*.yaml` files of folders, in the order of their names.

    Files with examples, `*.test.yml`, are omitted.

    Raises UsageError for a path that does not exist.
    """
    seen: set[Path] = set()
    for path in map(Path, paths):
        found = list(_found(path))
        if not found:
            yield Problem(str(path), None, None, "found no file *.yml or *.yaml, expected Sigma rules")
        for file in found:
            if isinstance(file, Problem):
                yield file
            elif (resolved := Path(os.path.realpath(file))) not in seen:
                seen.add(resolved)
                yield from _read(file)


def rule_files(path: Path) -> list[Path]:
    """Return the files of rules in a folder, or the file itself. Raises UsageError for a path that does not exist."""
    return [file for file in _found(path) if isinstance(file, Path)]


def _found(path: Path) -> Iterator[Path | Problem]:
    """Yield the files of rules in a folder, in the order of their names, and a problem for each that is not a file."""
    try:
        is_folder = path.is_dir()
        # If it exists but is not a file, reading it reports that.
        is_there = is_folder or path.exists()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not is_there:
        raise UsageError(f"found no file or folder {path}, expected Sigma rules")
    if not is_folder:
        yield path
        return
    unreadable: list[OSError] = []
    files = [
        Path(folder, name)
        for folder, folders, names in os.walk(path, onerror=unreadable.append)
        for name in (*folders, *names)
        if _is_rule(Path(name))
    ]
    for one in unreadable:
        yield Problem(str(one.filename), None, None, f"cannot be read: {one.strerror}", "unreadable")
    for file in sorted(files):
        yield file if file.is_file() else _no_file(file)


def _no_file(path: Path) -> Problem:
    if path.is_symlink() and not path.exists():
        return Problem(str(path), None, None, "cannot be read: it links to nothing", "unreadable")
    kind = "folder" if path.is_dir() else "pipe, socket or device"
    return Problem(str(path), None, None, f"found a {kind}, expected a file with a Sigma rule")


def _is_rule(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.stem.endswith(".test")


def _read(path: Path) -> Iterator[Document | Problem]:
    try:
        text = read_bounded(path, reading.MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(str(path), None, None, f"cannot be read: {error}", "unreadable")
    except UsageError as error:
        yield Problem(str(path), None, None, f"cannot be read: {str(error).removeprefix(f'{path}: ')}")
    else:
        yield from _rules(str(path), text)


def _rules(path: str, text: str) -> Iterator[Document | Problem]:
    """Yield the documents; `action: global` is merged into those after it, `repeat` merges the one before."""
    shared: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for line, content in _parsed(text):
        if content is None:
            continue
        if isinstance(content, yaml.YAMLError):
            place, reason = reading.problem_of(content)
            yield Problem(path, place or line or None, None, f"is not YAML: {reason}")
            continue
        if not isinstance(content, dict):
            found = f"found a {type(content).__name__}, expected a Sigma rule: a mapping"
            yield Problem(path, line, None, found, "no rule")
            continue
        action = content.get("action")
        if action in ("global", "reset", "repeat"):
            del content["action"]
        elif not _is_like_a_rule({**shared, **content}):
            yield Problem(path, line, None, "found YAML without logsource and detection, expected a Sigma rule",
                          "no rule")  # fmt: skip
            continue
        if action == "global":
            shared = before = content
        elif action == "reset":
            shared = {}
        else:
            is_rule = "correlation" not in content and "filter" not in content
            base = before if action == "repeat" else shared if is_rule else {}
            try:
                before = deep_dict_update(content, base) if base else content
            except (AttributeError, TypeError) as error:
                reason = f"found a document into which `action: {action or 'global'}` cannot be merged: {error}"
                yield Problem(path, line, None, reason)
            else:
                yield Document(path, line, before)


def _is_like_a_rule(content: dict[Any, Any]) -> bool:
    """Return whether it is a rule, or seems to be meant as one: other programs write YAML, too."""
    if any(isinstance(content.get(key), dict) for key in ("detection", "correlation", "logsource")):
        return True
    if "filter" in content:
        return "title" in content or "logsource" in content
    parts = ("detection", "correlation", "logsource")
    has_title = any(str(key).lower() == "title" for key in content)
    return has_title and any(nearest(str(key), parts) for key in content)


def _parsed(text: str) -> Iterator[reading.Document]:
    """Yield the documents; after a syntax error, the error as the last."""
    try:
        yield from reading.documents_of(text)
    except yaml.YAMLError as error:
        # The error has its own line, if any.
        yield 0, error
