"""The Rust core: bytes to Arrow."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, BinaryIO, final

__all__ = [
    "Batch",
    "Feeder",
    "LineForm",
    "Replay",
    "Scanner",
    "Sensor",
    "columns",
    "evtx_chunk",
    "live_columns",
    "version",
]

from procwire.sources.mappings import LogMapping

@final
class Batch:
    @property
    def event(self) -> str: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...
    def __len__(self) -> int: ...

@final
class Scanner:
    def __new__(
        cls,
        inputs: Iterable[tuple[str, str | PathLike[str] | BinaryIO | Exception, bool]],
        *,
        format: str | None = None,
        recover: bool = False,
        events: Sequence[str] | None = None,
        coded: bool = False,
        mapping: LogMapping | None = None,
        threads: int | None = None,
    ) -> Scanner: ...
    def step(self, timeout_s: float) -> Batch | None: ...
    @property
    def bytes_read(self) -> int: ...
    def accounts(self) -> list[dict[str, Any]]: ...

@final
class Feeder:
    def __new__(
        cls,
        name: str,
        *,
        format: str | None = None,
        events: Sequence[str] | None = None,
        mapping: LogMapping | None = None,
    ) -> Feeder: ...
    def feed(self, bytes: bytes, *, at_end: bool = False) -> list[Batch]: ...
    def account(self) -> dict[str, Any]: ...

@final
class LineForm:
    def __new__(cls, parts: Sequence[str | tuple[str, str, str, str, str]]) -> LineForm: ...
    def line(self, columns: dict[str, str | int | bool | bytes | None]) -> bytes: ...

# On Linux only.
@final
class Sensor:
    def __new__(
        cls,
        *,
        cgroup: str | PathLike[str] | None,
        ring_bytes: int,
        udp: bool,
        udp_idle_s: float,
        attempts: bool,
        closes: bool,
        existing: bool,
        boot_time_ns: int,
        machine_id: int,
    ) -> Sensor: ...
    def step(self, timeout_s: float) -> Batch | None: ...
    def write_lines(self, form: LineForm, names: object, **options: Any) -> None: ...
    def lines(
        self, timeout_s: float, first_record_id: int, most: int
    ) -> tuple[memoryview, int, int, int, dict[str, int], bool] | None: ...
    def hooks(self) -> list[tuple[str, bool, str | None]]: ...
    def losses(self) -> dict[str, int]: ...
    def unattributed(self) -> dict[str, int]: ...
    def warnings(self) -> dict[str, int]: ...
    def close(self) -> None: ...

# On Linux only, for tests.
@final
class Replay:
    def __new__(cls, *, boot_time_ns: int, machine_id: int) -> Replay: ...
    def write_lines(self, form: LineForm, names: object, **options: Any) -> None: ...
    def batch(self, records: list[bytes]) -> Batch: ...
    def lines(
        self, records: list[bytes], first_record_id: int, most: int
    ) -> tuple[memoryview, int, int, int, dict[str, int], bool] | None: ...

def evtx_chunk(
    name: str, bytes: bytes, offset: int, *, events: Sequence[str] | None = None
) -> tuple[list[Batch], dict[str, Any]]: ...
def columns(event: str) -> list[tuple[str, str]]: ...
def live_columns() -> list[tuple[str, str]]: ...
def version() -> str: ...
