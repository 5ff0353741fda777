"""A lake knows which rows of a log it has by a text: it is the same for the same options in every version."""

from __future__ import annotations

from procwire.lake.ingest import selection_text
from procwire.lake.location import TABLES
from procwire.lake.schema import LAYOUTS


def test_text_is_what_earlier_versions_made() -> None:
    def text(where: str = "", configuration: str = "", format: str | None = None, **flags: bool) -> str:
        return selection_text(
            where, configuration, format, **{"recover": False, "lenient": False, "strict": False, **flags}
        )

    assert text() == ""
    assert text("a = 1") == "a = 1\0\0\0"
    assert text("a = 1", "<Sysmon/>", "evtx", recover=True) == "a = 1\0<Sysmon/>\0evtx\0recover"
    assert text("", "<Sysmon/>", lenient=True, strict=True) == "\0<Sysmon/>\0\0\0lenient\0strict"


def test_tables_that_are_guarded_are_all_tables() -> None:
    assert set(TABLES) == {layout.name for layout in LAYOUTS}
