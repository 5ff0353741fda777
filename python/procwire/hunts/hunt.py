"""Hunts: loads them, finds them by name, checks their parameters and runs their SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.bounded import read_bounded
from procwire.errors import UsageError
from procwire.hunts.header import COLUMN_TYPES, Column, Parameter, parse
from procwire.hunts.values import Value, value_of

if TYPE_CHECKING:
    import pyarrow as pa

    from procwire.query.protocol import Connection

__all__ = ["Hunt", "find", "load"]

_OWN = Path(__file__).parent
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Hunt:
    """Hold a hunt: an SQL query with its description, parameters and columns."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    sql: str
    """The query over the view `connections`; `$name` stands for a parameter."""
    problem: str | None = None
    """Why its file cannot be used, None if it can; a hunt with a problem only has a name."""

    @property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema of the result."""
        import pyarrow as pa

        makers = [(column.name, *COLUMN_TYPES[column.type]) for column in self.columns]
        return pa.schema([pa.field(name, getattr(pa, maker)(*arguments)) for name, maker, *arguments in makers])

    def run(self, connection: Connection, **parameters: object) -> pa.RecordBatchReader:
        """Run the hunt on a connection with the view `connections`: DuckDB's (`procwire.connect`), or Spark's.

        parameters: values of the hunt's types, or texts; omitted ones have their defaults.
        Raises UsageError for a parameter that is unknown, missing or has the wrong type; and for SQL that is not one
        query, or that the engine rejects.
        """
        import pyarrow as pa

        from procwire.engine import one_query, sql_errors

        values = self.values(parameters)
        with sql_errors():
            found = connection.sql(one_query(self.sql), params=values).to_arrow_reader()
        self._check(found.schema.names)
        return pa.RecordBatchReader.from_batches(self.schema, self._typed(found))

    def values(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Return every parameter's value: the given one, else its default. Raises UsageError as `run` does."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise UsageError(f"hunt {self.name}: found parameter {name!r}, expected {_one_of(known)}")
        return {name: self._value(parameter, given) for name, parameter in known.items()}

    def _value(self, parameter: Parameter, given: Mapping[str, object]) -> Value:
        what = f"hunt {self.name}: parameter {parameter.name}"
        if parameter.required and given.get(parameter.name) is None:
            raise UsageError(f"{what}: found no value, expected {parameter.type}: {parameter.meaning}")
        if given.get(parameter.name) is None:
            return parameter.default
        return value_of(parameter.type, given[parameter.name], what)

    def _check(self, names: Sequence[str]) -> None:
        if names != self.schema.names:
            raise UsageError(f"hunt {self.name}: found columns {', '.join(names)}, expected those of its header: "
                             f"{', '.join(self.schema.names)}")  # fmt: skip

    def _typed(self, found: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        from procwire.engine import sql_errors

        with sql_errors():
            for batch in found:
                yield batch.cast(self.schema)


def load(folders: Iterable[str | Path] = ()) -> list[Hunt]:
    """Return the hunts of procwire and of the user's folders (every `*.sql` in them), sorted by name.

    A user's hunt replaces one with the same name. A file that is not a valid hunt has a `problem`, and does not affect
    the others. Raises UsageError for a folder that does not exist.
    """
    hunts = {path.stem: _read(path) for folder in (_OWN, *map(Path, folders)) for path in _files(folder)}
    return [hunts[name] for name in sorted(hunts)]


def find(name: str, hunts: Sequence[Hunt]) -> Hunt:
    """Return the hunt with a name; hyphens and underscores are equivalent.

    Raises UsageError, which suggests the nearest name, if there is none; and, with its problem, if it cannot be used.
    """
    by_name = {hunt.name: hunt for hunt in hunts}
    wanted = name.replace("-", "_")
    if wanted not in by_name:
        nearest = get_close_matches(wanted, by_name, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise UsageError(f"found hunt {name!r}, expected one that `procwire hunt` lists{hint}")
    found = by_name[wanted]
    if found.problem is not None:
        raise UsageError(found.problem)
    return found


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"found no folder {folder}, expected one with hunts (*.sql)")
    return sorted(folder.glob("*.sql"))


def _read(path: Path) -> Hunt:
    try:
        return _parsed(path)
    except UsageError as error:
        return Hunt(path.stem, "", "", (), (), "", str(error))


def _parsed(path: Path) -> Hunt:
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: found bytes that are not UTF-8, expected a hunt") from error
    header = parse(text, str(path))
    return Hunt(path.stem, header.title, header.description, header.parameters, header.columns, text)


def _one_of(names: Iterable[str]) -> str:
    return f"one of {', '.join(names)}" if names else "none, since it has none"
