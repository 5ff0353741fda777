"""What goes wrong in a query, as one line."""

from __future__ import annotations

import duckdb
import pytest

from procwire.engine import sql_errors
from procwire.errors import DamageError


@pytest.mark.parametrize("before", ["", "Invalid Error: ", "IO Error: "])
def test_damage_of_a_file_is_damage_whatever_duckdb_says_before_it(before: str) -> None:
    text = f"{before}Traceback (most recent call last):\n  File x, line 1\nDamageError: /lake/a.parquet: is missing\n"
    with pytest.raises(DamageError, match=r"^/lake/a\.parquet: is missing$"), sql_errors():
        raise duckdb.Error(text)
