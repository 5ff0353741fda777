"""Case is folded as DuckDB folds it."""

from __future__ import annotations

from procwire.engine import connect, literal
from procwire.matching.folding import fold

CHARACTERS = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))


def test_fold_is_duckdbs_lower() -> None:
    """Of every character there is: what is folded here is compared with what DuckDB has folded."""
    with connect(threads=1) as connection:
        [(lower,)] = connection.sql(f"SELECT lower({literal(CHARACTERS)})").fetchall()
    assert lower == fold(CHARACTERS)
    assert len(fold(CHARACTERS)) == len(CHARACTERS)
