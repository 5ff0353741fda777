"""Repair of a lake in a folder: sets damaged parts aside, never deletes them, and reports what is lost.

First the commit log is repaired, without trusting anything that no other commit confirms. A commit that is missing or
doubtful is undone, unless all files that it adds are intact and it removes no rows. Then a commit removes damaged data
files from the table; it also records which other commits it accepts as they are, so that the chain is valid again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.fs
import pyarrow.parquet as pq

from procwire.errors import DamageError, LakeError, UsageError
from procwire.lake.chain import (
    FOLDER,
    LOG,
    REPAIRED,
    Chain,
    Examination,
    checkpoint_path,
    commit_path,
    commit_version,
    parsed,
)
from procwire.lake.digested import footer_digest
from procwire.lake.durable import sync
from procwire.lake.files import is_data_file
from procwire.lake.location import is_remote
from procwire.lake.maintenance import MAINTENANCE, faults_of
from procwire.lake.schema import LAYOUTS, Layout
from procwire.lake.table import DataFile, Table, file_system
from procwire.lake.verified import ReadableFile, check, damage, open_verified
from procwire.words import counted, counted_rows

__all__ = ["DAMAGED", "Repair", "repair"]

DAMAGED = "damaged"
"""Subfolder of the lake for what was set aside: a folder for each repair and table."""
_KEPT = ("add", "remove", "txn", "metaData", "protocol")


@dataclass(slots=True)
class Repair:
    """Hold what was repaired in a table, or would be."""

    table: str
    commits: list[str] = field(default_factory=list)
    """A line for each commit, checkpoint or head that was repaired."""
    files: list[str] = field(default_factory=list)
    """A line for each data file removed from the table: its rows, and their time span."""
    unnamed: list[str] = field(default_factory=list)
    """When commits were lost: a line for each intact file that no commit names, as a lost commit may have named it."""
    rows: int = 0
    """Number of rows in `files`."""
    aside: str | None = None
    """Folder with what was set aside; None if nothing was."""

    @property
    def is_needed(self) -> bool:
        """Return whether anything is damaged."""
        return bool(self.commits or self.files)


def repair(location: str, *, dry_run: bool = False) -> list[Repair]:
    """Repair each table of a lake.

    location: the lake's folder. dry_run: only report what would be done. Raises UsageError for an object store or if
    there is no lake, LakeError for what cannot be repaired.
    """
    if is_remote(location):
        raise UsageError(f"found {location}, expected a folder: copy the lake, repair it, and copy it back")
    layouts = [layout for layout in LAYOUTS if _was_there(location, layout)]
    if not layouts:
        raise UsageError(f"found no lake at {location}, expected a folder with tables")
    if not dry_run:
        return [_TableRepair(Path(location), layout).run() for layout in layouts]
    # Work on a copy of the logs: the data files stay where they are, and are only read.
    with tempfile.TemporaryDirectory(prefix="procwire-") as folder:
        return [_TableRepair(Path(folder), layout, Path(location)).run() for layout in layouts]


def _was_there(location: str, layout: Layout) -> bool:
    return Path(location, layout.name, LOG).is_dir() or Path(location, FOLDER, f"{layout.name}.json").exists()


class _TableRepair:
    """Repair a table.

    lake: folder in which its log is repaired. origin: folder with its files, if that is another one: they are then only
    read.
    """

    def __init__(self, lake: Path, layout: Layout, origin: Path | None = None) -> None:
        self._is_rehearsal = origin is not None
        self._data = (origin or lake) / layout.name
        self._table = lake / layout.name
        self._layout = layout
        self._aside = lake / DAMAGED / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{layout.name}"
        self._head = lake / FOLDER / f"{layout.name}.json"
        self._done = Repair(layout.name)
        self._files = file_system(str(self._data), None)
        if origin is not None:
            (lake / FOLDER).mkdir(exist_ok=True)
            if (origin / FOLDER / self._head.name).exists():
                shutil.copy(origin / FOLDER / self._head.name, self._head)
            if (self._data / LOG).is_dir():
                shutil.copytree(self._data / LOG, self._table / LOG)
        self._chain = Chain(str(self._table), file_system(str(self._table), None), file_system(str(lake), None))

    def run(self) -> Repair:
        if not (self._table / LOG).is_dir():
            self._done.commits.append("the entire table is missing: its next row creates a new one")
            self._set_aside(self._head)
            return self._done
        self._refuse_newer()
        with self._chain.locked():
            found = self._chain.examine()
            changed = {} if not found.faults else self._repair_log(found)
        table = self._opened()
        damaged = self._damaged(table)
        if changed or damaged or found.faults:
            self._commit(table, damaged, changed)
        if found.faults:
            self._save_unnamed(table)
        self._done.aside = str(self._aside) if self._aside.exists() and not self._is_rehearsal else None
        return self._done

    def _refuse_newer(self) -> None:
        """Raise LakeError, before anything is changed, if a newer procwire wrote the table or its head."""
        with suppress(DamageError):
            self._chain.head()
        try:
            table = Table(str(self._table), None, self._layout)
        except LakeError:
            # Broken: the layout is only known once the log is repaired.
            return
        table.check_layout()

    def _repair_log(self, found: Examination) -> dict[int, str]:
        """Replace every doubtful commit; return the digests of those that stay or are new, by version."""
        for number in sorted(found.faults):
            if number < -1:
                self._drop_checkpoint(-2 - number, found.faults[number])
            elif number == -1:
                self._done.commits.append(found.faults[number])
        versions = [version for path in self._commits() if (version := commit_version(path.name)) is not None]
        newest = max(versions, default=-1)
        live = _Live(self._data)
        for version in range(min([*versions, *found.missing], default=0), newest + 1):
            if version in found.faults:
                self._replace(version, found.faults[version], live)
            live.take(parsed((self._table / commit_path(version)).read_bytes()) or [])
        for version in range(newest + 1, max(found.faults) + 1):
            self._done.commits.append(f"{found.faults[version]}: what it added is lost, unless it is named below")
        return {
            version: self._chain.digest(version)
            for version in {*found.faults, *found.repaired}
            if 0 <= version <= newest
        }

    def _replace(self, version: int, fault: str, live: _Live) -> None:
        path = self._table / commit_path(version)
        content = path.read_bytes() if path.exists() else b""
        lines = _plausible(content)
        reason = live.doubt(lines)
        if version == 0 and not any("metaData" in line for line in lines):
            lines = [*self._first_lines(), *lines]
        elif reason:
            lines = []
        what = f"undone ({reason})" if reason else "kept: the files that it adds are intact, and it removes no rows"
        self._done.commits.append(f"{fault}: {what if content else 'its rows are lost, unless they are named below'}")
        if parsed(content) is not None and not reason:
            return
        info = {"commitInfo": {"timestamp": time.time_ns() // 10**6, "operation": "REPAIR", "procwire.replaces": fault}}
        if content:
            self._set_aside(path)
        path.write_text("".join(json.dumps(line) + "\n" for line in (info, *lines)))
        sync(str(self._table), [commit_path(version)])

    def _first_lines(self) -> list[dict[str, Any]]:
        """Return the actions that define the table, as this version creates it."""
        with tempfile.TemporaryDirectory(prefix="procwire-") as folder:
            uri = str(Path(folder, self._layout.name))
            Table.create(uri, None, self._layout)
            made = parsed(Path(uri, commit_path(0)).read_bytes()) or []
        return [line for line in made if "commitInfo" not in line]

    def _drop_checkpoint(self, version: int, fault: str) -> None:
        log = self._table / LOG
        self._done.commits.append(f"{fault}: the commits before it are used instead")
        self._set_aside(self._table / checkpoint_path(version))
        if (log / "_last_checkpoint").exists():
            self._set_aside(log / "_last_checkpoint")

    def _opened(self) -> Table:
        hint = self._table / LOG / "_last_checkpoint"
        try:
            with suppress(LakeError):
                return Table(str(self._table), None, self._layout)
            if hint.exists():
                self._done.commits.append(
                    f"{LOG}/_last_checkpoint: may name no checkpoint: all commits are used instead"
                )
                self._set_aside(hint)
            return Table(str(self._table), None, self._layout)
        except LakeError as error:
            raise LakeError(f"{error}: this cannot be repaired; restore {self._table / LOG} from a backup") from error

    def _damaged(self, table: Table) -> list[DataFile]:
        damaged = []
        # For messages and for reading: the data may be in another folder.
        table.files, table.uri = self._files, str(self._data)
        try:
            for file in table.snapshot():
                if faults := faults_of(table, file):
                    damaged.append(file)
                    self._done.rows += file.rows
                    lost = f"{counted_rows(file.rows, self._layout.rows)}{_span(file)}"
                    self._done.files.append(f"{file.path}: {faults[0]}; lost: {lost}")
        finally:
            table.uri = str(self._table)
        return damaged

    def _commit(self, table: Table, damaged: Sequence[DataFile], changed: Mapping[int, str]) -> None:
        if self._is_rehearsal:
            return
        # The old head is no longer valid; the commit writes a new one.
        if self._head.exists():
            self._set_aside(self._head, copy=True)
        self._head.unlink(missing_ok=True)
        table.make_writable()
        removals = [table.removal(file, data_change=True) for file in damaged]
        accepted = {str(version): digest for version, digest in changed.items()}
        table.commit(removals, {MAINTENANCE: table.version + 1}, {REPAIRED: json.dumps(accepted)})
        table.reload()
        with table.chain.locked():
            checkpoints = [int(path.name[:20]) for path in (self._table / LOG).glob("*.checkpoint.parquet")]
            table.chain.advance(table.version, max(checkpoints, default=None), forget=True)
        for file in damaged:
            if (self._data / file.path).exists():
                self._set_aside(self._data / file.path)

    def _save_unnamed(self, table: Table) -> None:
        """Set intact files aside that no commit names: otherwise the next compaction deletes them."""
        named = {file.path for file in table.snapshot()}
        for commit in self._commits():
            for line in parsed(commit.read_bytes()) or []:
                named |= {line[kind]["path"] for kind in ("add", "remove") if kind in line}
        for there in sorted(self._data.rglob("*.parquet")):
            path, size_bytes = str(there.relative_to(self._data)), there.stat().st_size
            if path not in named and is_data_file(path) and _is_whole(self._files, path, size_bytes):
                self._done.unnamed.append(f"{path}: {size_bytes:,} bytes, in no commit that is left")
                self._set_aside(there)

    def _commits(self) -> list[Path]:
        return sorted(path for path in (self._table / LOG).iterdir() if commit_version(path.name) is not None)

    def _set_aside(self, path: Path, *, copy: bool = False) -> None:
        """Move or copy a file to the folder for damaged parts, under its name."""
        if self._is_rehearsal and not path.is_relative_to(self._table.parent):
            return
        base = self._table if path.is_relative_to(self._table) else self._table.parent
        target = self._aside / path.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        if copy:
            shutil.copy2(path, target)
        else:
            path.rename(target)


class _Live:
    """Track which files a table has after the commits so far, with their rows."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._files = file_system(str(data), None)
        self._rows: dict[str, int] = {}

    def take(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Apply the actions of a commit."""
        for line in lines:
            if "remove" in line:
                self._rows.pop(line["remove"]["path"], None)
            if "add" in line:
                self._rows[line["add"]["path"]] = _rows(line["add"])

    def doubt(self, lines: Sequence[Mapping[str, Any]]) -> str:
        """Return why a commit that nothing confirms cannot be kept; an empty text if it can."""
        adds = [line["add"] for line in lines if "add" in line]
        removes = [line["remove"]["path"] for line in lines if "remove" in line]
        for add in adds:
            if add["path"] in self._rows:
                return f"it adds {add['path']} a second time"
            if not _is_whole(self._files, add["path"], int(add["size"])):
                return f"it adds {add['path']}, which is damaged"
        gone, came = sum(self._rows.get(path, 0) for path in removes), sum(map(_rows, adds))
        # An append removes no rows. A compaction must remove what it adds again, or rows would be doubled.
        is_append = not removes and all(add.get("dataChange", True) for add in adds)
        if is_append or gone == came or not all((self._data / path).exists() for path in removes):
            return ""
        return f"it removes {counted(gone, 'row')} and adds {counted(came, 'row')}"


def _plausible(content: bytes) -> list[dict[str, Any]]:
    """Return the actions of a commit that can still be parsed, line by line."""
    return [line for raw in content.splitlines() for line in parsed(raw) or [] if _is_action(line)]


def _is_action(line: Mapping[str, Any]) -> bool:
    [*kinds] = line
    if len(kinds) != 1 or kinds[0] not in _KEPT or not isinstance(line[kinds[0]], dict):
        return False
    needed = {"add": ("path", "size"), "remove": ("path",)}.get(kinds[0], ())
    return all(name in line[kinds[0]] for name in needed)


def _rows(add: Mapping[str, Any]) -> int:
    try:
        return int(json.loads(add["stats"])["numRecords"])
    except (KeyError, TypeError, ValueError):
        return 0


def _is_whole(files: pyarrow.fs.FileSystem, path: str, size_bytes: int) -> bool:
    """Return whether a file is intact: by its digests, or, in an older lake without any, whether it can be read."""
    try:
        with damage(path):
            readable = open_verified(files, path, size_bytes)
            with ReadableFile(readable) as stream:
                check(readable)
                if footer_digest(path) is None:
                    pq.read_table(stream, page_checksum_verification=True)
    except DamageError:
        return False
    return True


def _span(file: DataFile) -> str:
    """Return the time span of a file's rows as text for a message; empty if unknown."""
    bounds = [file.bounds[name] for name in ("event_creation_time", "event_recorded_time") if name in file.bounds]
    if bounds:
        first, last = (time.isoformat(timespec="seconds").replace("+00:00", "Z") for time in bounds[0])
        return f", {first} to {last}"
    return f" of {file.day}" if file.day else ""
