"""Read logs at rest: the core reads every input, in threads, in order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from procwire import _core
from procwire.event import CONNECTION, EVENTS, Event
from procwire.ledger import READ_ERROR, FileLedger, Ledger
from procwire.sources.inputs import STDIN, Input, NoLogError, NotFollowed, expand, is_packed, is_regular, open_inputs
from procwire.sources.limits import UnpackLimits
from procwire.sources.mappings import LogMapping

__all__ = ["OnProgress", "read_batches", "read_events"]

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes read so far and, where it can be known, the bytes there are."""

# Between steps, handle signals and report progress.
_STEP_S = 0.1
# The ledger lags by at most this while reading continues.
_UPDATE_S = 0.5


def read_batches(
    paths: Sequence[str | os.PathLike[str]],
    *,
    format: str | None = None,
    recover: bool = False,
    follow: bool = False,
    events: Sequence[Event] = (CONNECTION,),
    ledger: Ledger,
    on_progress: OnProgress | None = None,
    through: Callable[[Iterator[Input]], Iterator[Input]] | None = None,
    unpack: UnpackLimits | None = None,
    mapping: LogMapping | None = None,
) -> Generator[pa.RecordBatch, None, None]:
    """Yield batches of the events of one table, of its schema; arguments as for `read_events`."""
    both = read_events(paths, events=events, format=format, recover=recover, follow=follow, ledger=ledger,
                       on_progress=on_progress, through=through, unpack=unpack, mapping=mapping)  # fmt: skip
    with closing(both):
        for _, batch in both:
            yield batch


def read_events(
    paths: Sequence[str | os.PathLike[str]],
    *,
    events: Sequence[Event] = EVENTS,
    format: str | None = None,
    recover: bool = False,
    follow: bool = False,
    coded: bool = False,
    ledger: Ledger,
    on_progress: OnProgress | None = None,
    through: Callable[[Iterator[Input]], Iterator[Input]] | None = None,
    unpack: UnpackLimits | None = None,
    mapping: LogMapping | None = None,
) -> Generator[tuple[Event, pa.RecordBatch], None, None]:
    """Read events of logs in one pass; yield batches, each of one event and its schema, in the order of the inputs.

    `ledger` is filled while reading. With `follow`, waits for logs to grow and does not end by itself.
    `coded` has texts come as dictionaries, in which a value may stand twice; with `follow` they do not.
    `through` may leave inputs out, or put others in their place; with `follow` it is not asked.
    `unpack` limits what packed files may become; what lies beyond is damage.
    `mapping` says what the keys of JSON and CSV mean, in place of the names that are known; its rows are connections.
    """
    ledger.asked = {event.name: event.rows for event in events}
    if follow and [os.fspath(path) for path in paths] != [STDIN]:
        from procwire.sources.follow import follow_batches

        yield from follow_batches(paths, events=events, format=format, ledger=ledger, mapping=mapping)
        return
    opened = open_inputs(paths, unpack)
    inputs = _Inputs(through(opened) if through else opened)
    total_bytes = _total_bytes(paths) if on_progress else None
    scanner = _core.Scanner(inputs, format=format, recover=recover, events=[event.name for event in events],
                            coded=coded, mapping=mapping)  # fmt: skip
    by_name = {event.name: event for event in events}
    try:
        updated_s = time.monotonic()
        for batch in _steps(scanner):
            if batch is not None:
                yield by_name[batch.event], pa.record_batch(batch)
            if on_progress:
                on_progress(scanner.bytes_read, total_bytes)
            # A ledger of thousands of files takes longer than a step.
            if time.monotonic() - updated_s > _UPDATE_S:
                ledger.files[:] = inputs.accounts(scanner)
                updated_s = time.monotonic()
    finally:
        ledger.files[:] = inputs.accounts(scanner)


def _steps(scanner: _core.Scanner) -> Iterator[_core.Batch | None]:
    while True:
        try:
            batch = scanner.step(_STEP_S)
        except StopIteration:
            return
        yield batch


class _Inputs:
    """Yield the inputs for the core; remember which ones the user named, and which are not read on purpose."""

    def __init__(self, inputs: Iterator[Input]) -> None:
        self._inputs = inputs
        self._seen: list[Input] = []

    def __iter__(self) -> Iterator[tuple[str, str | BinaryIO | Exception, bool]]:
        for entry in self._inputs:
            # Close files when the core has finished with them.
            kept = entry.source if isinstance(entry.source, Exception) else ""
            self._seen.append(Input(entry.name, kept, named=entry.named))
            yield entry.name, entry.source, entry.live

    def accounts(self, scanner: _core.Scanner) -> list[FileLedger]:
        files = [FileLedger.from_core(account) for account in scanner.accounts()]
        for file, entry in zip(files, self._seen, strict=False):
            # A file's ledger begins with the first block, and gets its name at the end.
            file.name, file.named = entry.name, entry.named
            if isinstance(entry.source, NotFollowed):
                file.not_followed, file.error, file.unreadable = str(entry.source), None, False
            elif isinstance(entry.source, NoLogError):
                file.unreadable = False
            elif file.error is not None and READ_ERROR in file.damage:
                # Its type is unknown.
                file.error, file.unreadable = file.damage.pop(READ_ERROR).examples[0].detail, True
        return files


def _total_bytes(paths: Sequence[str | os.PathLike[str]]) -> int | None:
    """Return the bytes of all inputs; None where that cannot be known before they are unpacked."""
    total = 0
    for found in expand(paths):
        if found.error is not None:
            continue
        try:
            # A pipe must not be read from before its turn.
            if found.path == STDIN or not is_regular(found.path) or is_packed(found.path):
                return None
            total += Path(found.path).stat().st_size
        except (OSError, ValueError):
            # A file that cannot be opened is reported when its turn comes.
            continue
    return total
