"""What a reading is asked to do: between the options of `procwire read` and what does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from procwire.choices import InputFormat as Format
from procwire.choices import Names

if TYPE_CHECKING:
    from procwire.ledger import Ledger
    from procwire.sources.limits import UnpackLimits
    from procwire.sysmon import ConfigFilter

__all__ = ["Format", "Request", "loaded_rules", "written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to read, and what for."""

    paths: list[str]
    to: str | None
    """A format, under its own name; None for the default."""
    output: Path | None
    names: Names
    columns: list[str] | None
    where: list[str]
    limit: int | None
    sort: list[str] | None
    follow: bool
    recover: bool
    format: Format | None
    ledger: Path | None
    config: Path | None
    keep: bool
    lenient: bool
    strict_sysmon: bool
    lake: str | None
    event: str | None
    force: bool
    unpack: UnpackLimits

    @property
    def into_lake(self) -> bool:
        """Whether the rows are kept in a lake."""
        return self.to == "lake" or self.lake is not None


@contextmanager
def written(ledger: Ledger, path: Path | None, *, force: bool) -> Iterator[None]:
    """Write the ledger however the reading ends. Raises UsageError, at once, if the file cannot be written."""
    if path is None:
        yield
        return
    from procwire.cli.output import Output

    with Output(path, force=force) as output:
        try:
            yield
        finally:
            output.stream.write(f"{ledger.to_json()}\n".encode())
            output.commit()


def loaded_rules(request: Request) -> ConfigFilter | None:
    """The rules of --config."""
    if request.config is None:
        return None
    from procwire.sysmon import ConfigFilter, load

    configuration = load(request.config, lenient=request.lenient)
    return ConfigFilter(configuration, strict=request.strict_sysmon, keep=request.keep)
