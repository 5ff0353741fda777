"""Values as the texts that rules compare, in Python and in SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from procwire.engine import connect
from procwire.matching.rendering import long_ipv6, long_ipv6_sql, text_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (443, "443"),
        (datetime(2018, 4, 11, 5, 29, 35, 394_999, UTC), "2018-04-11 05:29:35.394"),
        (datetime(2018, 4, 11, 7, 29, 35, tzinfo=timezone(timedelta(hours=2))), "2018-04-11 05:29:35.000"),
    ],
)
def test_values_become_texts(value: object, expected: str) -> None:
    assert text_of(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("::1", "0:0:0:0:0:0:0:1"),
        ("2001:DB8::", "2001:db8:0:0:0:0:0:0"),
        ("0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:1"),
        ("1.2.3.4", "1.2.3.4"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_long_ipv6(text: str, expected: str) -> None:
    assert long_ipv6(text) == expected


def test_long_ipv6_in_sql_is_that_in_python() -> None:
    """Case is folded; null, and what is no IPv6 address, become what is given for it."""
    addresses = {"::1": 1, "2001:DB8::": 0x20010DB8 << 96, "fe80::a:0:1": (0xFE80 << 112) + 0xA_0000_0001}
    with connect(threads=1) as connection:
        for text, number in addresses.items():
            sql = long_ipv6_sql(f"'{text}'", f"unhex('{number:032x}')", "'other'")
            assert connection.sql(f"SELECT {sql}").fetchall() == [(long_ipv6(text),)]
        for text, data in (("'1.2.3.4'", f"unhex('{0xFFFF_01020304:032x}')"), ("'a:b'", "NULL"), ("NULL", "NULL")):
            assert connection.sql(f"SELECT {long_ipv6_sql(text, data, chr(39) * 2)}").fetchall() == [("",)]
