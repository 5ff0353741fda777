"""Files of rules: which ones, and the documents in them, with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sigma.collection import deep_dict_update

from procwire.errors import UsageError
from procwire.sigma.problems import Kind, OtherEvents, Problem

__all__ = ["Document", "documents", "rule_files"]

_SUFFIXES = (".yml", ".yaml")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """A rule as it stands in a file. line: where it begins, from 1."""

    path: str
    line: int
    content: dict[str, Any]

    def problem(self, reason: object) -> Problem:
        """That this rule does not run, on one line."""
        title = self.content.get("title")
        text = " ".join(str(reason).split())
        kind: Kind = "other events" if isinstance(reason, OtherEvents) else "mistake"
        return Problem(self.path, self.line, str(title) if title else None, text, kind)


def documents(paths: Sequence[str | Path]) -> Iterator[Document | Problem]:
    """Every document in files, and in folders' files `*.yml` and `*.yaml`, in the order of their names; not the
    examples beside them, `*.test.yml`.

    Raises UsageError for a path that is not there.
    """
    seen: set[Path] = set()
    for path in map(Path, paths):
        files = rule_files(path)
        if not files:
            yield Problem(str(path), None, None, "found no file *.yml or *.yaml, expected Sigma rules")
        for file in files:
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield from _read(file)


def rule_files(path: Path) -> list[Path]:
    """The files of rules in a folder; or the file itself. Raises UsageError for a path that is not there."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if _is_rule(file) and file.is_file())
    if not path.exists():
        raise UsageError(f"found no file or folder {path}, expected Sigma rules")
    return [path]


def _is_rule(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not path.stem.endswith(".test")


def _read(path: Path) -> Iterator[Document | Problem]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = list(_parsed(text))
    except (OSError, UnicodeDecodeError) as error:
        yield Problem(str(path), None, None, f"cannot be read: {error}", "unreadable")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"is not YAML: {getattr(error, 'problem', None) or error}"
        yield Problem(str(path), mark.line + 1 if mark else None, None, " ".join(reason.split()))
    except RecursionError:
        yield Problem(str(path), None, None, "is nested too deeply, expected a Sigma rule")
    else:
        yield from _rules(str(path), found)


def _parsed(text: str) -> Iterator[tuple[int, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            yield node.start_mark.line + 1, loader.construct_document(node)
    finally:
        loader.dispose()


def _rules(path: str, found: Sequence[tuple[int, Any]]) -> Iterator[Document | Problem]:
    """The documents; `action: global` is taken over into those after it, `repeat` takes over the one before."""
    shared: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for line, content in found:
        if content is None:
            continue
        if not isinstance(content, dict):
            yield Problem(path, line, None, f"found a {type(content).__name__}, expected a Sigma rule: a mapping")
            continue
        action = content.pop("action", None)
        if action == "global":
            shared = before = content
        elif action == "reset":
            shared = {}
        else:
            is_rule = "correlation" not in content and "filter" not in content
            base = before if action == "repeat" else shared if is_rule else {}
            before = deep_dict_update(content, base) if base else content
            yield Document(path, line, before)
