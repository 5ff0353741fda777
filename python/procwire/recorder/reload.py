"""Reload the rules of a recording while it runs: never half of them, and never broken ones in place of good ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from procwire.errors import UsageError
from procwire.files.watching import Changes
from procwire.recorder.ledger import ConfigurationLedger
from procwire.recorder.notices import Notice, Notify

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.signals import Hangups
    from procwire.sysmon.model import Configuration

__all__ = ["Changes", "LiveRules", "Reloaded", "reloader"]

Step = Callable[["pa.RecordBatch"], "pa.RecordBatch"]


class LiveRules:
    """Apply a configuration's rules as a step of a recording; `refresh`, called between two batches, reloads them.

    load: reads the file. apply: makes the step. asked: returns whether a reload is requested, whether the file changed
    or not. tell: called with each loaded configuration. complain: called with each line about a refused one, once per
    change. Raises what `load` and `apply` raise for the first configuration; for later ones the last good one stays.
    """

    def __init__(
        self,
        load: Callable[[], Configuration],
        apply: Callable[[Configuration], Step],
        *,
        changes: Changes,
        asked: Callable[[], bool],
        ledger: ConfigurationLedger,
        tell: Callable[[Configuration], None],
        complain: Callable[[str], None],
    ) -> None:
        self._load = load
        self._apply = apply
        self._changes = changes
        self._asked = asked
        self.ledger = ledger
        self._tell = tell
        self._complain = complain
        self._take(load())

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with the current configuration applied."""
        return self._step(batch)

    @property
    def applied(self) -> Step:
        """Return what `apply` made of the current configuration."""
        return self._step

    @property
    def dns_lookup(self) -> bool:
        """Return whether hosts and ports get names."""
        return self._configuration.dns_lookup

    def refresh(self) -> None:
        """Load the configuration, if it has changed or a reload is requested."""
        if self._asked():
            # Call it before reading the file, to detect changes meanwhile.
            self._changes.settle()
        elif not self._changes():
            return
        try:
            self._take(self._load())
        except UsageError as error:
            self._refuse(str(error))
        except Exception as error:
            # Whatever a file causes, the recording continues.
            self._refuse(f"cannot load {self.ledger.path}: {type(error).__name__}: {error}")

    def _refuse(self, why: str) -> None:
        self.ledger.refused += 1
        for line in why.splitlines():
            self._complain(line)
        self._complain(f"{self.ledger.path} is refused, the rules loaded at {self.ledger.loaded_at} stay")

    def _take(self, configuration: Configuration) -> None:
        self._step = self._apply(configuration)
        self._configuration = configuration
        self.ledger.take(configuration.schema_version)
        self._tell(configuration)


class Reloaded(Protocol):
    """Define rules that can be loaded again."""

    def refresh(self) -> None:
        """Between two batches: load the rules, if that is due, and apply them."""


def reloader(parts: Iterable[Reloaded | None], hangups: Hangups, notify: Notify) -> Callable[[], None]:
    """Return what is done between two batches: refresh the parts; without any, a hangup has no effect, and says so."""
    present = [part for part in parts if part is not None]

    def refresh() -> None:
        for part in present:
            part.refresh()
        if not present and hangups.take():
            text = "SIGHUP ignored: there is no --config FILE, and no --detect PATH, to reload"
            notify(Notice("warning", text))

    return refresh
