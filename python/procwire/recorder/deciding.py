"""Decide which rows of a recording by lines are written: the core calls Python for these decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

# Arrow's own methods use it, and later it may not be readable.
import pyarrow.compute

from procwire.sysmon.evaluate import NO_NAME
from procwire.sysmon.forms import COLUMNS, SIZED

if TYPE_CHECKING:
    from procwire.recorder.predicates import Where
    from procwire.sysmon.config_filter import ConfigFilter

__all__ = ["Asked", "Decisions"]


class Asked(NamedTuple):
    """Describe the requests of the core, and the effects of rules on a row."""

    rules: list[str] | None
    """The columns that rules depend on; None without rules."""
    predicate: list[str] | None
    """The columns that a predicate refers to; None without one."""
    names_hosts: bool
    """Whether hosts and ports have names."""
    sizes: Mapping[str, int]
    """Maximum length in characters of a column's texts, after rules have seen them."""


class Decisions:
    """Answer the core's requests about batches, which have only the columns of `asked`.

    rules: returns the currently applied rules of a configuration; None without one.
    """

    def __init__(self, rules: Callable[[], ConfigFilter] | None, predicate: Where | None) -> None:
        self._current = rules
        self._rules = rules and rules()
        self._predicate = predicate
        self._failure: Exception | None = None

    @property
    def undecided(self) -> int:
        """Return how many rows were kept because the predicate could not be evaluated on them.

        Raises the error of an earlier request, in which case the core kept all rows.
        """
        if self._failure is not None:
            raise self._failure
        return 0 if self._predicate is None else self._predicate.undecided

    def asked(self) -> Asked:
        """Return what the core must request, by the current rules; earlier results are no longer valid."""
        self._rules = self._current and self._current()
        predicate = None if self._predicate is None else self._predicate.columns
        if self._rules is None:
            return Asked(None, predicate, True, {})
        configuration = self._rules.configuration
        sizes = {COLUMNS[field].name: size for field, size in configuration.field_sizes.items() if field in SIZED}
        return Asked(self._rules.columns, predicate, configuration.dns_lookup, sizes)

    @property
    def are_changed(self) -> bool:
        """Return whether the rules have changed since the last call of `asked`."""
        return self._current is not None and self._current() is not self._rules

    def rules(self, rows: object) -> list[str | None]:
        """Return for each row: None if not logged, an empty text if logged without a name, else the rule's name."""
        assert self._rules is not None
        with self._noting():
            names = self._rules.names(pa.record_batch(rows)).to_pylist()
            return ["" if name == NO_NAME else name for name in names]

    def keeps(self, rows: object) -> bytes:
        """Return a byte for each row: 1 if the predicate keeps it, else 0."""
        assert self._predicate is not None
        with self._noting():
            mask = self._predicate.mask(pa.record_batch(rows))
            kept = mask.cast(pa.uint8())
            found: bytes = kept.buffers()[1].slice(kept.offset, len(kept)).to_pybytes()
            return found

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failure = error
            raise
